"""What is wrong with a JSON text, in the words of Go's encoding/json.

Python's decoder accepts what Go refuses (NaN) and words its errors otherwise. Source: Go's encoding/json,
scanner.go, for the words.
"""

from __future__ import annotations

import enum
import re

from buildctl.errors import UsageError
from buildctl.model.quote import quote

_SPACE = re.compile(rb"[ \t\r\n]*")
_DIGITS = re.compile(rb"[0-9]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX = frozenset(b"0123456789abcdefABCDEF")
_LITERALS = {b"t": b"true", b"f": b"false", b"n": b"null"}


class _Next(enum.Enum):
    """What may come next."""

    VALUE = enum.auto()
    VALUE_OR_END = enum.auto()
    KEY = enum.auto()
    KEY_OR_END = enum.auto()
    COLON = enum.auto()
    COMMA_OR_END = enum.auto()


def check_json(data: bytes) -> None:
    """Raise `UsageError` unless the bytes are one JSON value."""
    following = _Next.VALUE
    closers: list[bytes] = []  # of the objects and arrays that are open
    at = 0
    while True:
        at = _after(_SPACE, data, at)
        char = data[at : at + 1]
        match following:
            case _Next.VALUE_OR_END | _Next.KEY_OR_END | _Next.COMMA_OR_END if (
                closers and char == closers[-1]
            ):
                closers.pop()
                at += 1
                following = _Next.COMMA_OR_END
            case _Next.VALUE | _Next.VALUE_OR_END if char == b"{":
                closers.append(b"}")
                at += 1
                following = _Next.KEY_OR_END
            case _Next.VALUE | _Next.VALUE_OR_END if char == b"[":
                closers.append(b"]")
                at += 1
                following = _Next.VALUE_OR_END
            case _Next.VALUE | _Next.VALUE_OR_END:
                at = _scalar(data, at)
                following = _Next.COMMA_OR_END
            case _Next.KEY | _Next.KEY_OR_END:
                if char != b'"':
                    raise _invalid(data, at, "looking for beginning of object key string")
                at = _string(data, at)
                following = _Next.COLON
            case _Next.COLON:
                if char != b":":
                    raise _invalid(data, at, "after object key")
                at += 1
                following = _Next.VALUE
            case _Next.COMMA_OR_END if not closers:
                if at < len(data):
                    raise _invalid(data, at, "after top-level value")
                return
            case _Next.COMMA_OR_END:
                in_object = closers[-1] == b"}"
                if char != b",":
                    what = "after object key:value pair" if in_object else "after array element"
                    raise _invalid(data, at, what)
                at += 1
                following = _Next.KEY if in_object else _Next.VALUE


def _scalar(data: bytes, at: int) -> int:
    """The position after a string, number or literal."""
    char = data[at : at + 1]
    if char == b'"':
        return _string(data, at)
    if char == b"-" or char.isdigit():
        return _number(data, at)
    literal = _LITERALS.get(char)
    if literal is None:
        raise _invalid(data, at, "looking for beginning of value")
    for offset, expected in enumerate(literal):
        if data[at + offset : at + offset + 1] != bytes([expected]):
            context = f"in literal {literal.decode()} (expecting '{chr(expected)}')"
            raise _invalid(data, at + offset, context)
    return at + len(literal)


def _string(data: bytes, at: int) -> int:
    at += 1
    while True:
        at = _after(_PLAIN, data, at)
        char = data[at : at + 1]
        if char == b'"':
            return at + 1
        if char != b"\\":
            raise _invalid(data, at, "in string literal")
        at += 1
        if data[at : at + 1] == b"u":
            for _ in range(4):
                at += 1
                if at >= len(data) or data[at] not in _HEX:
                    raise _invalid(data, at, "in \\u hexadecimal character escape")
        elif not data[at : at + 1] or data[at] not in b'bfnrt\\/"':
            raise _invalid(data, at, "in string escape code")
        at += 1


def _number(data: bytes, at: int) -> int:
    if data[at : at + 1] == b"-":
        at += 1
    at = at + 1 if data[at : at + 1] == b"0" else _digits(data, at, "in numeric literal")
    if data[at : at + 1] == b".":
        at = _digits(data, at + 1, "after decimal point in numeric literal")
    if data[at : at + 1] in (b"e", b"E"):
        at += 2 if data[at + 1 : at + 2] in (b"+", b"-") else 1
        at = _digits(data, at, "in exponent of numeric literal")
    return at


def _digits(data: bytes, at: int, context: str) -> int:
    end = _after(_DIGITS, data, at)
    if end == at:
        raise _invalid(data, at, context)
    return end


def _after(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    assert match is not None, "the patterns match nothing too"
    return match.end()


def _invalid(data: bytes, at: int, context: str) -> UsageError:
    if at >= len(data):
        return UsageError("unexpected end of JSON input")
    char = chr(data[at])
    shown = {"'": r"\'", '"': '"'}.get(char) or quote(char)[1:-1]
    return UsageError(f"invalid character '{shown}' {context}")
