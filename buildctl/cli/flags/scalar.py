"""Go's numbers and booleans as flag values, with Go's messages (package strconv)."""

from __future__ import annotations

import math
import re

from buildctl.errors import UsageError
from buildctl.model.boolean import parse_bool as parse_bool
from buildctl.model.quote import quote

# Compiled when they are needed, for every command line loads this module.
_DIGITS, _HEX_DIGITS = r"[0-9]+(?:_[0-9]+)*", r"[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
_FLOAT = (
    rf"[+-]?(?:(?P<hex>0[xX]_?(?:{_HEX_DIGITS}(?:\.(?:{_HEX_DIGITS})?)?|\.{_HEX_DIGITS})[pP][+-]?{_DIGITS})"
    rf"|(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?|(?P<inf>(?i:inf(?:inity)?))|(?i:nan))"
)
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
        if not digits[:1].isdigit() or not digits.isascii() or not digits[-1:].isalnum():
            raise ValueError(digits)
        value = int(sign + (digits.replace("_", "") if octal else digits), 8 if octal else 0)
    except ValueError:
        raise UsageError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax") from None
    if not -_MAX_INT64 - 1 <= value <= _MAX_INT64:
        raise UsageError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    return value


def parse_float(text: str) -> float:
    """Go's strconv.ParseFloat. Raises `UsageError` in its words, and for `NaN`, which sizes nothing."""
    found = re.fullmatch(_FLOAT, text)
    if not found or text.lower().endswith("nan"):
        raise UsageError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    digits = text.replace("_", "")
    try:
        value = float.fromhex(digits) if found["hex"] else float(digits)
    except OverflowError:
        value = math.inf
    if math.isinf(value) and not found["inf"]:
        raise UsageError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def parse_size(text: str) -> int:
    """Bytes of a bare number of megabytes (`1.5`, as the reference) or a size with a unit.

    Units are decimal (`kB`, `10GB`, `5g`) or binary (`512MiB`), in any case. `Inf` is the largest
    size there is. Raises `UsageError`.
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
        if math.isinf(value):
            return _MAX_INT64 if value > 0 else -_MAX_INT64 - 1
    if abs(value) > _MAX_INT64:
        raise UsageError(f"size {quote(text)} is out of range")
    return int(value)
