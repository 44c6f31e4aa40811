"""A line of the screen: styled spans, measured in cells and cut to a width.

What a character's width is, the caller says (`Measure`), so nothing here knows a terminal or a library.
Text is expected to be `visible` (see `visible.py`): every character occupies the cells it is measured at.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import NamedTuple

Measure = Callable[[str], int]
"""How many cells a text occupies."""

Color = int | tuple[int, int, int]
"""One of the terminal's 256 colours, or red, green and blue."""


class Role(enum.Enum):
    """What a span is for; the terminal display decides how that looks."""

    PLAIN = enum.auto()
    HEAD = enum.auto()
    STAGE = enum.auto()
    FAINT = enum.auto()
    RUN = enum.auto()
    DONE = enum.auto()
    CACHED = enum.auto()
    CANCEL = enum.auto()
    ERROR = enum.auto()
    WARNING = enum.auto()
    LOG = enum.auto()


class Ink(NamedTuple):
    """The colours and attributes that a step's own output asked for."""

    color: Color | None = None
    background: Color | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


class Span(NamedTuple):
    """A piece of text in one style."""

    text: str
    style: Role | Ink = Role.PLAIN


Line = tuple[Span, ...]


def width_of(spans: Iterable[Span], measure: Measure) -> int:
    """The cells that the spans occupy."""
    return sum(measure(span.text) for span in spans)


def cut(text: str, width: int, measure: Measure, mark: str = "") -> str:
    """`text` in at most `width` cells; `mark` stands at the end of what was cut, where it fits."""
    if width <= 0:
        return ""
    # Characters without a width could come by the million; nobody reads more of them than this.
    text = text[: 8 * width]
    if measure(text) <= width:
        return text
    if measure(mark) > width:
        mark = ""
    return text[: _fitting(text, width - measure(mark), measure)] + mark


def cut_front(text: str, width: int, measure: Measure, mark: str = "") -> str:
    """Like `cut`, keeping the end of the text."""
    text = text[-8 * width :] if width > 0 else ""
    return cut(text[::-1], width, measure, mark[::-1])[::-1]


def _fitting(text: str, width: int, measure: Measure) -> int:
    """How many of the first characters occupy at most `width` cells."""
    if text.isascii():
        return max(width, 0)
    for index, character in enumerate(text):
        width -= measure(character)
        if width < 0:
            return index
    return len(text)


def cut_line(spans: Iterable[Span], width: int, measure: Measure, mark: str = "") -> Line:
    """The spans in at most `width` cells, without the empty ones."""
    line: list[Span] = []
    room = width
    for span in spans:
        size = measure(span.text)
        if size > room:
            # What was already taken may leave no cell for the mark; then the text just ends.
            line.append(span._replace(text=cut(span.text, room, measure, mark)))
            break
        line.append(span)
        room -= size
    return tuple(span for span in line if span.text)


def justify(
    left: Iterable[Span], right: Iterable[Span], width: int, measure: Measure, mark: str = ""
) -> Line:
    """`left` from the first cell and `right` up to the last; `left` is cut first, `right` only alone."""
    right = tuple(right)
    room = width - width_of(right, measure)
    if room < 1:
        return cut_line(right, width, measure) if right else cut_line(left, width, measure, mark)
    if right:
        room -= 1
    line = cut_line(left, room, measure, mark)
    gap = room - width_of(line, measure) + (1 if right else 0)
    return (*line, Span(" " * gap), *right) if right else line
