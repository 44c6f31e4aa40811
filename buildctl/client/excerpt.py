"""A piece of a build file as text, with marks at the lines that an error points at."""

from __future__ import annotations

from buildctl.errors import SourceExcerpt

_RULE = "-" * 20
_CONTEXT_LINES = 2
_CONTEXT_LINES_OF_ONE = 4


def format_excerpt(excerpt: SourceExcerpt) -> str:
    """The marked lines with some around them, between two rules; empty where nothing is pointed at.

    The layout is the reference's (solver/errdefs/source.go), byte for byte.

        print(format_excerpt(error.excerpts[0]))
    """
    lines = excerpt.data.decode(errors="surrogateescape").split("\n")
    ranges = [(first, max(first, last)) for first, last in excerpt.ranges]
    if not ranges:
        return ""
    marked_first = min(first for first, _ in ranges)
    if not 1 <= marked_first <= len(lines):
        return ""
    first, last = _with_context(marked_first, min(max(last for _, last in ranges), len(lines)), len(lines))
    text = [f"{excerpt.filename}:{marked_first}", _RULE]
    for number in range(first, last + 1):
        mark = ">>>" if any(start <= number <= end for start, end in ranges) else "   "
        text.append(f" {number:3d} | {mark} {lines[number - 1]}")
    text.append(_RULE)
    return "\n".join(text) + "\n"


def _with_context(first: int, last: int, count: int) -> tuple[int, int]:
    """Widen to both sides; where one side ends, the other gets part of its share."""
    wanted = _CONTEXT_LINES_OF_ONE if first == last else _CONTEXT_LINES
    taken = 0
    while taken < wanted:
        if first > 1:
            first -= 1
            taken += 1
        if last != count:
            last += 1
            taken += 1
        taken += 1  # each round costs one, so that a file shorter than the context ends it
    return first, last
