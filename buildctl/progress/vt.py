"""The little terminal in which a running step's output is shown: the last bytes of a log become lines.

A step writes to a pipe, so what it sends is mostly plain lines, progress rewritten with carriage returns, and
colours. Those are understood (with backspace, tab, erase in line and moves along it); every other control
sequence is dropped, so nothing a step prints can reach the real terminal's state. Only what can be seen is
parsed: the last rows, and of each no more than a bounded piece.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from buildctl.progress.line import Color, Ink, Line, Measure, Role, Span, cut_line
from buildctl.progress.visible import visible

_TAB = 8
_EDITED_BYTES = 2048
"""Read of a line with control characters, each of which costs time."""
_LINE_BYTES = 64 << 10
"""The same where the whole line is wanted."""

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]|\xc2[\x80-\x9f]")
SEQUENCE = re.compile(
    r"""
      (?:\x1b\[|\x9b) (?P<args>[0-?]*) [ -/]* (?P<final>[@-~])?  # CSI
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])  # OSC, DCS, SOS, PM, APC
      [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c)?
    | \x1b [ -/]* [0-~]?  # any other escape
    | (?P<control>[\x00-\x1f\x7f-\x9f])
    """,
    re.VERBOSE,
)
"""A control sequence (ECMA-48) or a single control character, in decoded text."""
_PARAMETERS = 32
_DIGITS = 9
"""Of a sequence, and of a number in it; Python reads no number of more than 4,300 digits."""
_COLORS = re.compile(rb"\x1b\[([0-9;:]*)m")
_INNER = bytes(range(0x80, 0xC0))
"""What stands at the front of UTF-8 that was cut within a character."""
PLAIN = Ink()
"""How output begins."""


class _Raw(NamedTuple):
    """One line of a log, or what was read of it."""

    data: bytes
    begun: bool
    """Its beginning is there."""
    ended: bool


def tail(
    data: bytes,
    rows: int,
    columns: int,
    measure: Measure,
    mark: str = "",
    *,
    begun: bool = True,
    ascii_only: bool = False,
) -> list[Line]:
    """The last `rows` lines that are not blank, each at most `columns` wide.

    A finished line that is too long shows its beginning, the unfinished last one its end, where it grows. So
    does one that began before the data did, as the first may if `begun` is False; `mark` is in front of it.
    """
    if rows <= 0 or columns <= 0:
        return []
    shown: list[Line] = []
    ink = PLAIN
    for line in _last_lines(data, rows, begun):
        piece, rest = _excerpt(line, _EDITED_BYTES if _CONTROL.search(line.data) else 8 * columns)
        spans, ink = read_line(piece.data, ink, limit=_EDITED_BYTES, ascii_only=ascii_only)
        if any(span.text.strip() for span in spans):
            if not piece.begun:
                spans.insert(0, Span(mark, Role.LOG))
            fit = cut_line if line.ended and piece.begun else _cut_front
            shown.append(fit(spans, columns, measure, mark))
        for found in _COLORS.finditer(rest[-_EDITED_BYTES:]):
            ink = _inked(ink, found[1].decode())
    return shown


def _last_lines(data: bytes, rows: int, begun: bool) -> list[_Raw]:
    """The last `rows` non-blank lines, oldest first."""
    lines: list[_Raw] = []
    end, ended = len(data), False
    while len(lines) < rows and end >= 0:
        start = data.rfind(b"\n", 0, end) + 1
        if line := data[start:end].strip(b" \t\r"):
            lines.append(_Raw(line if ended else data[start:end], begun or start > 0, ended))
        end, ended = start - 1, True
    return lines[::-1]


def _excerpt(line: _Raw, limit: int) -> tuple[_Raw, bytes]:
    """About `limit` bytes of a line, at whose beginning or end one looks; and what comes after them.

    What a carriage return goes back over is as good as never written: the line begins after it.
    """
    data, begun, ended = line
    if len(data) <= limit and begun:
        return line, b""
    if (start := data.find(b"\r", -limit, -1) + 1) > 0:
        return _Raw(data[start:], True, ended), b""
    start = data.rfind(b"\r", 0, -1) + 1
    if ended and (begun or start > 0):
        return _Raw(data[start : start + limit], True, ended), data[start + limit :]
    return _Raw(data[-limit:].lstrip(_INNER), False, ended), b""


def _cut_front(spans: Iterable[Span], columns: int, measure: Measure, mark: str) -> Line:
    backwards = [Span(span.text[::-1], span.style) for span in spans][::-1]
    line = cut_line(backwards, columns, measure, mark[::-1])
    return tuple(Span(span.text[::-1], span.style) for span in line)[::-1]


def read_line(
    raw: bytes, ink: Ink, *, limit: int = _LINE_BYTES, ascii_only: bool = False
) -> tuple[list[Span], Ink]:
    """What one line that begins in `ink` looks like when all of it is written, and the ink it ends in.

    Of a line with control characters the last `limit` bytes are read.
    """
    if not _CONTROL.search(raw):
        return [_span(visible(raw.decode(errors="replace"), ascii_only=ascii_only), ink)], ink
    if len(raw) > limit:
        raw = raw[-limit:].lstrip(_INNER)
    row = _Row(ink, limit)
    text = raw.decode(errors="replace")
    position = 0
    for found in SEQUENCE.finditer(text):
        row.write(visible(text[position : found.start()], ascii_only=ascii_only))
        position = found.end()
        if control := found["control"]:
            row.control(control)
        elif final := found["final"]:
            row.sequence(final, found["args"])
    row.write(visible(text[position:], ascii_only=ascii_only))
    return row.spans(), row.ink


def _span(text: str, ink: Ink) -> Span:
    return Span(text, Role.LOG if ink == PLAIN else ink)


class _Row:
    """One line being typed: its cells, where the cursor stands, and the current ink.

    `columns` bounds it: a step may ask for column one billion.
    """

    def __init__(self, ink: Ink, columns: int) -> None:
        self.ink = ink
        self._columns = columns
        self._cells: list[tuple[str, Ink]] = []
        self._column = 0

    def write(self, text: str) -> None:
        for character in text:
            if not character.isascii() and unicodedata.category(character).startswith("M"):
                if 0 < self._column <= len(self._cells):
                    under, ink = self._cells[self._column - 1]
                    self._cells[self._column - 1] = under + character, ink
            elif self._column < self._columns:
                self._reach(self._column)
                self._cells[self._column : self._column + 1] = [(character, self.ink)]
                self._column += 1

    def control(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\b":
            self._column = max(self._column - 1, 0)
        elif character == "\t":
            self._move_to(self._column - self._column % _TAB + _TAB)
            self._reach(self._column)

    def sequence(self, final: str, args: str) -> None:
        """A control sequence: `m` colours, `K` erases, `C D G` move along the line, all others do nothing."""
        if final == "m":
            self.ink = _inked(self.ink, args)
            return
        count = _number(args) if args.isascii() and args.isdigit() else 0
        if final == "K" and count == 0:
            del self._cells[self._column :]
        elif final == "K":
            erased = len(self._cells) if count == 2 else min(self._column + 1, len(self._cells))
            self._cells[:erased] = [(" ", PLAIN)] * erased
        elif final == "C":
            self._move_to(self._column + max(count, 1))
        elif final == "D":
            self._move_to(self._column - max(count, 1))
        elif final == "G":
            self._move_to(count - 1)

    def spans(self) -> list[Span]:
        groups = groupby(self._cells, key=lambda cell: cell[1])
        return [_span("".join(character for character, _ in cells), ink) for ink, cells in groups]

    def _move_to(self, column: int) -> None:
        self._column = min(max(column, 0), self._columns)

    def _reach(self, column: int) -> None:
        self._cells.extend([(" ", PLAIN)] * (column - len(self._cells)))


def _inked(ink: Ink, args: str) -> Ink:
    """The ink after `CSI args m` (ECMA-48 8.3.117, with the common 256 and 24-bit colours)."""
    codes = _codes(args)
    while codes:
        code = codes.pop(0)
        if code == 0:
            ink = PLAIN
        elif code in _ATTRIBUTES:
            ink = ink._replace(**_ATTRIBUTES[code])
        elif code in (38, 48):
            color = _extended(codes)
            ink = ink._replace(color=color) if code == 38 else ink._replace(background=color)
        elif 30 <= code <= 39 or 90 <= code <= 97:
            ink = ink._replace(color=_basic(code))
        elif 40 <= code <= 49 or 100 <= code <= 107:
            ink = ink._replace(background=_basic(code - 10))
    return ink


_ATTRIBUTES: dict[int, dict[str, bool]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": True},
    7: {"reverse": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"reverse": False},
}


def _codes(args: str) -> list[int]:
    """The numbers of a sequence; `38:2::1:2:3` becomes what its older form `38;2;1;2;3` says."""
    if not re.fullmatch("[0-9;:]*", args):
        return []
    codes: list[int] = []
    for parameter in args.split(";", _PARAMETERS)[:_PARAMETERS]:
        number, *sub = parameter.split(":", _PARAMETERS)[:_PARAMETERS]
        codes.append(_number(number))
        if number in ("38", "48"):
            codes.extend(_number(value) for value in sub if value)
    return codes


def _number(digits: str) -> int:
    """A parameter of any length; what is longer than any that means something is large."""
    return int(digits.lstrip("0")[:_DIGITS] or 0)


def _basic(code: int) -> Color | None:
    if code in (38, 39):
        return None
    return code - 30 if code < 40 else code - 90 + 8


def _extended(codes: list[int]) -> Color | None:
    """Takes what follows 38 or 48 from `codes`."""
    kind = codes.pop(0) if codes else None
    if kind == 5 and codes:
        return min(codes.pop(0), 255)
    if kind == 2 and len(codes) >= 3:
        red, green, blue = (min(codes.pop(0), 255) for _ in range(3))
        return red, green, blue
    codes.clear()  # what follows cannot be told from what is missing
    return None
