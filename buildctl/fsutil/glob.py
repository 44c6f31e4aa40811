"""Go's filepath.Match and filepath.Clean as they are on Unix (documented in Go's package path/filepath).

Names and patterns are text decoded from UTF-8 with surrogateescape, so that a byte that is not UTF-8
counts as one character, as it does in Go.
"""

from __future__ import annotations

import functools
import posixpath
import re

from buildctl.errors import UsageError


class PatternError(UsageError):
    """A pattern that Go's matchers refuse (filepath.ErrBadPattern)."""

    def __init__(self, message: str = "syntax error in pattern", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)


def decode(path: bytes) -> str:
    """The text of a path."""
    return path.decode("utf-8", "surrogateescape")


def encode(path: str) -> bytes:
    """The path of a text."""
    return path.encode("utf-8", "surrogateescape")


def clean(path: str) -> str:
    """The shortest equal path: no `.`, no `x/..`, no doubled or trailing slash; `.` for an empty one."""
    path = posixpath.normpath(path)
    return path[1:] if path.startswith("//") else path  # POSIX lets exactly two slashes stay, Go does not


def match(pattern: str, name: str) -> bool:
    """filepath.Match; raises `PatternError` as it does, which is only for what it comes to look at.

    A pattern is a sequence of chunks with stars between them; after one that matches nowhere, the rest of
    the pattern is not read.
    """
    while pattern:
        star, chunk, pattern = _chunk(pattern)
        if star and not chunk:
            return "/" not in name
        test = _compile_chunk(chunk)
        slash = name.find("/")
        starts = range((slash if slash >= 0 else len(name)) + 1) if star else (0,)
        for start in starts:
            found = test.match(name, start)
            if found and (pattern or found.end() == len(name)):
                name = name[found.end() :]
                break
        else:
            return False
    return not name


_CHUNK = re.compile(r"(\**)((?:[^\\\[*]|\\.?|\[(?:[^\\\]]|\\.?)*(?:\]|\Z))*)", re.DOTALL)
"""Stars; then anything but a star, which is ordinary where escaped or in a class."""


def _chunk(pattern: str) -> tuple[bool, str, str]:
    found = _CHUNK.match(pattern)
    assert found
    return bool(found[1]), found[2], pattern[found.end() :]


@functools.lru_cache(maxsize=256)
def _compile_chunk(chunk: str) -> re.Pattern[str]:
    out = []
    at = 0
    while at < len(chunk):
        char = chunk[at]
        at += 1
        if char == "?":
            out.append("[^/]")
        elif char == "[":
            source, at = _class(chunk, at)
            out.append(source)
        else:
            if char == "\\":
                if at == len(chunk):
                    raise PatternError
                char = chunk[at]
                at += 1
            out.append(re.escape(char))
    return re.compile("".join(out))


def _class(pattern: str, at: int) -> tuple[str, int]:
    """`[` '^'? range+ `]`, where a range is a character or lo-hi; either may be escaped, lo may exceed hi."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while not (ranges and pattern[at : at + 1] == "]"):
        low, at = _class_char(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _class_char(pattern, at + 1)
        ranges.append((low, high))
    members = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    if not members:
        return (r"[\s\S]" if negated else "(?!)"), at + 1
    return f"[{'^' * negated}{members}]", at + 1


def _class_char(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if char in ("", "-", "]"):
        raise PatternError
    if char == "\\":
        at += 1
        char = pattern[at : at + 1]
    if not char or "\udc80" <= char <= "\udcff" or at + 1 == len(pattern):
        raise PatternError
    return char, at + 1
