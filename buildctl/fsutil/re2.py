"""The regular expressions that .dockerignore patterns become, from Go's syntax (RE2) to Python's.

moby/patternmatcher turns a pattern into Go's syntax and hands classes and escapes through, so what `[a-c]`
or `\\d` means there is decided by RE2 (https://github.com/google/re2/wiki/Syntax), and so are `|` and
`{2}`, which it leaves unescaped. Only what such a pattern can contain is known here.
Unicode classes (`\\pL`) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from buildctl.fsutil.glob import PatternError

_Ranges = list[tuple[int, int]]

_LAST = 0x10FFFF
_INVALID = 0xFFFD  # what Go's regexp sees in place of a byte that is not UTF-8 ...
_ESCAPED = (0xDC80, 0xDCFF)  # ... and what Python's surrogateescape decoding makes of it

_DIGIT = [(0x30, 0x39)]
_UPPER = [(0x41, 0x5A)]
_LOWER = [(0x61, 0x7A)]
_WORD = [*_DIGIT, *_UPPER, (0x5F, 0x5F), *_LOWER]
_PERL = {"d": _DIGIT, "s": [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)], "w": _WORD}
_POSIX = {
    "alnum": [*_DIGIT, *_UPPER, *_LOWER],
    "alpha": [*_UPPER, *_LOWER],
    "ascii": [(0x00, 0x7F)],
    "blank": [(0x09, 0x09), (0x20, 0x20)],
    "cntrl": [(0x00, 0x1F), (0x7F, 0x7F)],
    "digit": _DIGIT,
    "graph": [(0x21, 0x7E)],
    "lower": _LOWER,
    "print": [(0x20, 0x7E)],
    "punct": [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)],
    "space": [(0x09, 0x0D), (0x20, 0x20)],
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": [*_DIGIT, (0x41, 0x46), (0x61, 0x66)],
}
_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_ASSERTIONS = {"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": r"(?a:\B)"}


_STAR = "[^/]*"  # what `*` becomes
_META = {".": ".", "^": "^", "(": "(?:", ")": ")", "|": "|", "$": r"\Z"}
_REPEAT = re.compile(r"[*?]|\{([0-9]+)(,?)([0-9]*)\}")
_MOST_REPEATS = 1000  # RE2's limit


def to_python(source: str) -> str:
    """The same expression for Python's `re.match`; raises `PatternError` where Go's regexp.Compile fails."""
    atoms: list[str] = []
    fixed: set[int] = set()  # indexes of atoms that match exactly one character, never a slash
    group = 0  # where the last group began; groups are never nested
    repeatable = False
    at = 0
    while at < len(source):
        repeat = _REPEAT.match(source, at)
        if repeat and not source.startswith(_STAR, at):
            if not repeatable:
                raise PatternError
            start = group if atoms[-1] == ")" else len(atoms) - 1
            atoms[start:] = [f"(?:{''.join(atoms[start:])}){_bounds(repeat)}"]
            fixed.discard(start)
            repeatable = False
            at = repeat.end()
            continue
        char = source[at]
        following = source[at + 1 : at + 2]
        repeatable = char not in "(|"
        if source.startswith(_STAR, at):
            atoms.append(_STAR)
            repeatable = False
            at += len(_STAR)
        elif char == "[":
            ranges, at = _class(source, at + 1)
            if not any(low <= 0x2F <= high for low, high in ranges):
                fixed.add(len(atoms))
            atoms.append(_members(ranges))
        elif char in _META:
            group = len(atoms) if char == "(" else group
            atoms.append(_META[char])
            at += 1
        elif char == "\\" and following == "Q":  # everything up to \E, or to the end, is literal
            end = source.find(r"\E", at + 2)
            atoms += map(re.escape, source[at + 2 : end if end >= 0 else None])
            at = end + 2 if end >= 0 else len(source)
        elif char == "\\" and following in _ASSERTIONS:
            atoms.append(_ASSERTIONS[following])
            at += 2
        elif char == "\\" and (perl := _perl(following)) is not None:
            atoms.append(_members(perl))
            at += 2
        else:
            code, at = _escape(source, at) if char == "\\" else (ord(char), at + 1)
            if code != 0x2F:
                fixed.add(len(atoms))
            atoms.append(_literal(code))
    joined = "".join(_without_backtracking(atoms, fixed))
    return f"(?s:.*?)(?:{joined})" if "|" in atoms else joined  # only the first branch has the leading `^`


def _bounds(repeat: re.Match[str]) -> str:
    if not repeat[1]:
        return repeat[0]
    low = int(repeat[1])
    high = int(repeat[3]) if repeat[3] else low
    if max(low, high) > _MOST_REPEATS or high < low:
        raise PatternError
    return repeat[0]


def _without_backtracking(atoms: list[str], fixed: set[int]) -> Iterable[str]:
    """Between two stars the first place that fits is as good as any, so `re` need not try the others.

    Without this `*a*a*a*a*a*b` takes ages on a long name, with the interpreter's lock held.
    """
    at = 0
    while at < len(atoms):
        end = at + 1
        if atoms[at] == _STAR:
            while end < len(atoms) and end in fixed:
                end += 1
            if end < len(atoms) and atoms[end] == _STAR:
                yield f"(?>[^/]*?{''.join(atoms[at + 1 : end])})"
                at = end
                continue
        yield atoms[at]
        at += 1


def _literal(code: int) -> str:
    return _members([(code, code)]) if code == _INVALID or _is_escaped(code) else re.escape(chr(code))


def _is_escaped(code: int) -> bool:
    return _ESCAPED[0] <= code <= _ESCAPED[1]


def _members(ranges: _Ranges) -> str:
    ranges = [(_INVALID, _INVALID) if _is_escaped(low) else (low, high) for low, high in ranges]
    if any(low <= _INVALID <= high for low, high in ranges):
        ranges.append(_ESCAPED)
    if not ranges:
        return "(?!)"
    return f"[{''.join(f'{re.escape(chr(low))}-{re.escape(chr(high))}' for low, high in ranges)}]"


def _complement(ranges: _Ranges) -> _Ranges:
    out = []
    start = 0
    for low, high in sorted(ranges):
        if start < low:
            out.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST:
        out.append((start, _LAST))
    return out


def _perl(char: str) -> _Ranges | None:
    ranges = _PERL.get(char.lower())
    return _complement(ranges) if ranges and char.isupper() else ranges


def _class(source: str, at: int) -> tuple[_Ranges, int]:
    """What stands after `[`, and where the class ends; a first `]` is a member, `-` is one anywhere."""
    negated = source[at : at + 1] == "^"
    at += negated
    ranges: _Ranges = []
    first = True
    while first or source[at : at + 1] != "]":
        first = False
        if source.startswith("[:", at) and (end := source.find(":]", at + 2)) >= 0:
            name = source[at + 2 : end]
            if name.removeprefix("^") not in _POSIX:
                raise PatternError
            named = _POSIX[name.removeprefix("^")]
            ranges += _complement(named) if name.startswith("^") else named
            at = end + 2
            continue
        if source[at : at + 1] == "\\" and (perl := _perl(source[at + 1 : at + 2])) is not None:
            ranges += perl
            at += 2
            continue
        low, at = _class_char(source, at)
        high = low
        if source[at : at + 1] == "-" and source[at + 1 : at + 2] not in ("", "]"):
            high, at = _class_char(source, at + 1)
        if high < low:
            raise PatternError
        ranges.append((low, high))
    return (_complement(ranges) if negated else ranges), at + 1


def _class_char(source: str, at: int) -> tuple[int, int]:
    if at >= len(source):
        raise PatternError
    if source[at] == "\\":
        return _escape(source, at)
    code = ord(source[at])
    return (_INVALID if _is_escaped(code) else code), at + 1


_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_HEX = re.compile(r"x([0-9A-Fa-f]{2})")


def _escape(source: str, at: int) -> tuple[int, int]:
    """The one character that the escape at `at` stands for, and where it ends."""
    char = source[at + 1 : at + 2]
    if octal := _OCTAL.match(source, at + 1):
        return int(octal[0], 8), octal.end()
    if hexadecimal := _HEX.match(source, at + 1):
        return int(hexadecimal[1], 16), hexadecimal.end()
    if char in _CONTROL:
        return _CONTROL[char], at + 2
    if char and char.isascii() and not char.isalnum():
        return ord(char), at + 2
    raise PatternError
