"""The regular expressions that .dockerignore patterns become, from Go's syntax (RE2) to Python's.

moby/patternmatcher turns a pattern into Go's syntax and hands classes and escapes through, so what `[a-c]`
or `\\d` means there is decided by RE2 (https://github.com/google/re2/wiki/Syntax), and so are `|` and
`{2}`, which it leaves unescaped. Only what such a pattern can contain is known here.
Unicode classes (`\\pL`) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

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


_META = {".": ".", "^": "^", "$": r"\Z"}
_REPEAT = re.compile(r"[*?]|\{([0-9]+)(,?)([0-9]*)\}")
_MOST_REPEATS = 1000  # RE2's limit
_MOST_DIGITS = 1000


class Atom(NamedTuple):
    """One character of a kind, as often as `low` to `high` says, or an assertion."""

    source: str
    """What `re` calls it."""
    low: int = 1
    high: int | None = 1
    is_assertion: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether there is one way only in which it may match."""
        return self.low == self.high

    def __str__(self) -> str:
        if self.low == self.high == 1:
            return self.source
        return f"(?:{self.source}){{{self.low},{'' if self.high is None else self.high}}}"


FOLDERS = Atom("(?:.*/)", 0, 1)
_STAR = Atom("[^/]", 0, None)
_WHOLE = {"(.*/)?": FOLDERS, "[^/]*": _STAR}  # what `**` and `*` become; there is no other group


def parse(source: str) -> list[list[Atom]]:
    """The branches of an expression; raises `PatternError` where Go's regexp.Compile fails."""
    branches: list[list[Atom]] = [[]]
    repeatable = False
    at = 0
    while at < len(source):
        atoms = branches[-1]
        if whole := next((text for text in _WHOLE if source.startswith(text, at)), ""):
            atoms.append(_WHOLE[whole])
            repeatable = False
            at += len(whole)
        elif repeat := _REPEAT.match(source, at):
            if not repeatable:
                raise PatternError
            atoms[-1] = _repeated(atoms[-1], repeat)
            repeatable = False
            at = repeat.end()
        elif source[at] == "|":
            branches.append([])
            repeatable = False
            at += 1
        elif source.startswith(r"\Q", at):  # everything up to \E, or to the end, is literal
            end = source.find(r"\E", at + 2)
            atoms += [Atom(re.escape(char)) for char in source[at + 2 : end if end >= 0 else None]]
            repeatable = bool(atoms)
            at = end + 2 if end >= 0 else len(source)
        else:
            atom, at = _atom(source, at)
            atoms.append(atom)
            repeatable = True
    return branches


def _atom(source: str, at: int) -> tuple[Atom, int]:
    """What stands at `at`, and where it ends."""
    char = source[at]
    following = source[at + 1 : at + 2]
    if char == "[":
        ranges, at = _class(source, at + 1)
        return Atom(_members(ranges)), at
    if char in _META:
        return Atom(_META[char], is_assertion=char != "."), at + 1
    if char == "\\":
        if following in _ASSERTIONS:
            return Atom(_ASSERTIONS[following], is_assertion=True), at + 2
        if (perl := _perl(following)) is not None:
            return Atom(_members(perl)), at + 2
        code, at = _escape(source, at)
        return Atom(_literal(code)), at
    return Atom(_literal(ord(char))), at + 1


def _repeated(atom: Atom, repeat: re.Match[str]) -> Atom:
    if not repeat[1]:
        return atom._replace(low=0, high=None if repeat[0] == "*" else 1)
    if max(len(repeat[1]), len(repeat[3])) > _MOST_DIGITS:  # Python reads no number of more than 4,300
        raise PatternError
    low = int(repeat[1])
    high = (int(repeat[3]) if repeat[3] else None) if repeat[2] else low
    if max(low, high or 0) > _MOST_REPEATS or (high is not None and high < low):
        raise PatternError
    return atom._replace(low=low, high=high)


def is_slow(branches: Sequence[Sequence[Atom]]) -> bool:
    """Whether `re` may take longer than the length of a path to the power of three."""
    choices = max(sum(not atom.is_fixed for atom in branch) for branch in branches)
    return choices + (len(branches) > 1) > 2


def to_python(branches: Sequence[Sequence[Atom]]) -> str:
    """The same expression for Python's `re.match`."""
    joined = "|".join("".join(map(str, branch)) for branch in branches)
    return f"(?s:.*?)(?:{joined})" if len(branches) > 1 else joined  # only the first branch begins with `^`


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
