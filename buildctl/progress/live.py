"""A picture that replaces itself at the end of a terminal's scrollback: frames in, control sequences out.

The cursor rests at the start of the row below the picture. A frame is one write: unchanged rows are stepped
over, changed ones written again. There is no alternate screen, so what
a build said stays where it was said.

rich.Live is not used: it erases as many rows as the last frame had lines, which after a resize is not as many
as it now occupies; it writes all of every frame; and it wants the process's streams and a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# Rows are cut to the window by our idea of a character's width; where the terminal's differs (newer emoji),
# it is better cut there too than wrapped.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
# Synchronized output: a terminal that knows it shows the frame at once, others ignore it.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ERASE_LINE, _ERASE_BELOW = "\x1b[2K", "\x1b[J"

RESTORE = _END + _WRAP + _SHOW_CURSOR
"""Puts a terminal right, whatever the picture was doing."""


class Rendered(NamedTuple):
    """A row as the terminal gets it, and how many cells it fills."""

    text: str
    width: int


class LivePicture:
    """What is on the screen now, and how to make it something else."""

    def __init__(self) -> None:
        self._rows: list[Rendered] = []
        self._size: tuple[int, int] | None = None
        """Of the window that the rows were drawn in; None: nothing was drawn yet."""

    def draw(self, rows: Sequence[Rendered], width: int, height: int) -> str:
        """Show `rows`, fewer than `height`, in place of the last ones; empty if that changes nothing."""
        rows = list(rows)
        if self._size == (width, height):
            if rows == self._rows:
                return ""
            body = self._changes(rows)
        else:
            body = self._anew(rows, width, height)
        hide = _HIDE_CURSOR if self._size is None else ""
        self._rows, self._size = rows, (width, height)
        return _BEGIN + hide + _NO_WRAP + body + _WRAP + _END

    def leave(self, rows: Sequence[Rendered], width: int, height: int) -> str:
        """Show `rows`, any number, and let them scroll away; the terminal is as it was before."""
        text = self._anew(rows, width, height)
        self._rows, self._size = [], None
        return _BEGIN + text + RESTORE

    def _changes(self, rows: Sequence[Rendered]) -> str:
        """The last rows become these, in a window of the same size."""
        before = self._rows
        parts = [_up(len(before))]
        for index, row in enumerate(rows):
            same = index < len(before) and before[index] == row
            parts.append("\r\n" if same else _row(row))
        if len(rows) < len(before):
            parts.append(_erase_below(len(before) - len(rows)))
        return "".join(parts)

    def _anew(self, rows: Sequence[Rendered], width: int, height: int) -> str:
        """The last rows become these, whatever happened to the window.

        If it has become narrower most terminals have wrapped the old rows by now. Those that cut them
        instead lose as many rows of older output, never more than are in the window.
        """
        occupied = sum(max(1, -(-row.width // width)) for row in self._rows)
        up = min(occupied, max(height - 1, 0))
        body = "".join(_row(row) for row in rows)
        return "\r" + _up(up) + body + (_erase_below(max(up - len(rows), 0)) if self._rows else "")


def _row(row: Rendered) -> str:
    # All of the row is erased first: tmux counts cells erased to its end as part of the line, and would
    # wrap them in a narrower window.
    return _ERASE_LINE + row.text + "\r\n"


def _up(count: int) -> str:
    return f"\x1b[{count}A" if count else ""


def _erase_below(count: int) -> str:
    """Erase the row of the cursor and, known to hold something, at least `count` below; stay there.

    In the window's first row that must not be done at once: tmux takes it for `clear` and keeps what was
    there in the scrollback.
    """
    return (_ERASE_LINE + "\r\n") * count + _ERASE_BELOW + _up(count)
