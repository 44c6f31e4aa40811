"""Go's numbers and booleans as flag values, with Go's messages (package strconv)."""

from __future__ import annotations

import math
import re

from buildctl.errors import UsageError
from buildctl.model.boolean import parse_bool as parse_bool
from buildctl.model.quote import quote

# Compiled when they are needed, for every command line loads this module.
_DECIMAL_FLOAT = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SIZE = r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<unit>[A-Za-z]+)"
_MB = 1_000_000
_MAX_INT64 = 2**63 - 1

_SIZE_UNITS = {"b": 1} | {
    spelling: base**power
    for power, letter in enumerate("kmgtpe", start=1)
    for spelling, base in ((letter, 1000), (f"{letter}b", 1000), (f"{letter}ib", 1024))
}


def parse_int(text: str) -> int:
    """Go's strconv.ParseInt with base 0 and 64 bits. Raises `UsageError` in its words."""
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    octal = re.fullmatch(r"0_?[0-7](?:_?[0-7])*", digits)  # Go still reads a leading 0 as octal
    try:
        if not digits[:1].isdigit() or not digits.isascii():
            raise ValueError(digits)
        value = int(sign + (digits.replace("_", "") if octal else digits), 8 if octal else 0)
    except ValueError:
        raise UsageError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax") from None
    if not -_MAX_INT64 - 1 <= value <= _MAX_INT64:
        raise UsageError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    return value


def parse_float(text: str) -> float:
    """Go's strconv.ParseFloat, decimal and finite. Raises `UsageError` in its words."""
    if not re.fullmatch(_DECIMAL_FLOAT, text):
        raise UsageError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    value = float(text)
    if math.isinf(value):
        raise UsageError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def parse_size(text: str) -> int:
    """Bytes of a bare number of megabytes (`1.5`, as the reference) or a size with a unit.

    Units are decimal (`kB`, `10GB`, `5g`) or binary (`512MiB`), in any case. Raises `UsageError`.
    """
    sized = re.fullmatch(_SIZE, text)
    if sized and (factor := _SIZE_UNITS.get(sized["unit"].lower())):
        value = float(sized["number"]) * factor
    elif sized:
        raise UsageError(
            f"unknown unit {quote(sized['unit'])} in size {quote(text)}: use kB, MB, GB, KiB, MiB, GiB"
        )
    else:
        value = parse_float(text) * _MB
    if abs(value) > _MAX_INT64:
        raise UsageError(f"size {quote(text)} is out of range")
    return int(value)
