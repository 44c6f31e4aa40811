"""Numbers, characters and strings as Go's source spells them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from buildctl.model.quote import quote
from buildctl.template.values import from_bytes, to_bytes

_MOST_DIGITS = 1000
_MAX_INT64 = 2**63 - 1
_MAX_UINT64 = 2**64 - 1
_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)

_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Number:
    """A constant with every type it fits: what it becomes depends on where it stands."""

    text: str
    integer: int | None = None
    """As an int64."""
    unsigned: int | None = None
    """As a uint64."""
    real: float | None = None

    @property
    def is_float(self) -> bool:
        """Whether it is one where nothing else is asked for."""
        text = self.text
        if text[:1] == "'" or (text[:2] in ("0x", "0X") and not set("pP") & set(text)):
            return False
        return self.real is not None and bool(set(".eEpP") & set(text))


def parse_number(text: str) -> Number:
    """A number's value. Raises `ValueError` with Go's message."""
    if _INTEGER.fullmatch(text):
        value = _integer(text)
        integer = value if -_MAX_INT64 - 1 <= value <= _MAX_INT64 else None
        # a sign makes a number signed; zero is zero
        unsigned = value if 0 <= value <= _MAX_UINT64 and (text[0] not in "+-" or not value) else None
        if integer is not None or unsigned is not None:
            return Number(text, integer, unsigned, float(value))
    real = _real(text)
    if real is None:
        raise ValueError(f"illegal number syntax: {quote(text)}")
    if not set(".eEpP") & set(text):
        raise ValueError(f"integer overflow: {quote(text)}")
    whole = int(real) if real.is_integer() else None
    fits = whole is not None and -_MAX_INT64 - 1 <= whole <= _MAX_INT64
    positive = whole is not None and 0 <= whole <= _MAX_UINT64
    return Number(text, whole if fits else None, whole if positive else None, real)


def _integer(text: str) -> int:
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    old_octal = digits[0] == "0" and digits[1:2] not in tuple("xXoObB") and len(digits) > 1
    if len(digits) > _MOST_DIGITS:  # Python reads no number of more than 4,300
        raise ValueError(f"integer overflow: {quote(text)}")
    return int(sign + digits.replace("_", ""), 8 if old_octal else 0)


def _real(text: str) -> float | None:
    digits = text.replace("_", "") if _underscores_are_good(text) else text
    try:
        if _FLOAT.fullmatch(digits):
            value = float(digits)
            return None if value in (float("inf"), float("-inf")) else value
        return float.fromhex(digits) if _HEX_FLOAT.fullmatch(digits) else None
    except OverflowError:
        return None


def _underscores_are_good(text: str) -> bool:
    """Whether each stands between digits; the `0x` of a prefix counts as one."""
    digits = text.lstrip("+-").lower()
    hexadecimal = digits.startswith("0x")
    digit = "[0-9a-f]" if hexadecimal else "[0-9]"
    return re.search(rf"(?<!{digit})_|_(?!{digit})", "0" + digits[2:] if hexadecimal else digits) is None


def parse_character(text: str) -> Number:
    """The number of a character constant such as `'a'`. Raises `ValueError` with Go's message."""
    body = text[1:]
    escape = _ESCAPE.match(body)
    if body.startswith("\\"):
        if escape is None:
            raise ValueError("invalid syntax")
        value, rest = _unescape(escape[0], "'"), body[escape.end() :]
        code = value if isinstance(value, int) else ord(value)
    elif body.startswith("'"):
        raise ValueError("invalid syntax")
    else:
        code, rest = ord(body[0]), body[1:]
        code = 0xFFFD if 0xDC80 <= code <= 0xDCFF else code
    if rest != "'":
        raise ValueError(f"malformed character constant: {text}")
    return Number(text, code, code, float(code))


def unquote(text: str) -> str:
    """What a string constant says. Raises `ValueError` with Go's message."""
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    out = bytearray()
    body, position = _NOT_UTF8.sub("\ufffd", text[1:-1]), 0
    for escape in _ESCAPE.finditer(body):
        out += to_bytes(body[position : escape.start()])
        value = _unescape(escape[0], '"')
        out += bytes((value,)) if isinstance(value, int) else value.encode()
        position = escape.end()
    out += to_bytes(body[position:])
    return from_bytes(bytes(out))


def _unescape(escape: str, quotation: str) -> str | int:
    """A character, or a byte as its number."""
    letter = escape[1]
    if letter in _SIMPLE and (letter not in "'\"" or letter == quotation):
        return _SIMPLE[letter]
    if len(escape) == 2:
        raise ValueError("invalid syntax")
    code = int(escape[1:], 8) if letter.isdigit() else int(escape[2:], 16)
    if letter == "x" or letter.isdigit():
        if code > 0xFF:
            raise ValueError("invalid syntax")
        return code
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError("invalid syntax")
    return chr(code)
