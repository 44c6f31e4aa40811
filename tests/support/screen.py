"""A terminal to look at: pyte, its screen as text with a map of colours, and the way others resize."""

from __future__ import annotations

from collections.abc import Iterable

import pyte

_LETTERS = {
    "red": "r",
    "green": "g",
    "brown": "y",
    "blue": "b",
    "cyan": "c",
    "magenta": "m",
    "black": "k",
    "white": "w",
}


class _Screen(pyte.HistoryScreen):
    """pyte, with two habits of tmux that a display has to live with."""

    def erase_in_display(self, how: int = 0, *args: object, **kwargs: object) -> None:
        """Erasing all from the first cell on is taken for `clear`, which keeps the rows in the scrollback."""
        if how == 0 and (self.cursor.x, self.cursor.y) == (0, 0):
            used = max((y for y, row in self.buffer.items() if row), default=-1)
            for y in range(used + 1):
                self.history.top.append(self.buffer.pop(y))
        super().erase_in_display(how, *args, **kwargs)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        """Cells erased at the end still count when the row is wrapped, unless all of the row is erased."""
        row = self.buffer[self.cursor.y]
        if how == 2:
            row.clear()
        elif how == 0:
            row.update({x: row.default for x in row if x >= self.cursor.x})
        else:
            super().erase_in_line(how, private)


class Terminal:
    """A window of `width` by `height` with a scrollback; `feed` it what a program writes."""

    def __init__(self, width: int, height: int, *, rewraps: bool = False) -> None:
        self.screen = _Screen(width, height, history=100_000, ratio=0.5)
        self._stream = pyte.ByteStream(self.screen)
        self._rewraps = rewraps

    @property
    def size(self) -> tuple[int, int]:
        return self.screen.columns, self.screen.lines

    def feed(self, data: bytes) -> None:
        self._stream.feed(data)

    @property
    def rows(self) -> list[str]:
        """What is in the window, without blanks at the ends of rows or below."""
        rows = [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def scrollback(self) -> list[str]:
        columns = range(self.screen.columns)
        return ["".join(row[x].data for x in columns).rstrip() for row in self.screen.history.top]

    @property
    def all_rows(self) -> list[str]:
        return self.scrollback + self.rows

    def cursor_hidden(self) -> bool:
        return bool(self.screen.cursor.hidden)

    def colors(self) -> list[str]:
        """For each cell of `rows` a letter: of the colour, a capital if bold, `.` for the terminal's own."""
        return ["".join(self._color(x, y) for x in range(len(row))) for y, row in enumerate(self.rows)]

    def _color(self, x: int, y: int) -> str:
        cell = self.screen.buffer[y][x]
        if not cell.data.strip():
            return " "
        letter = _LETTERS.get(cell.fg, "." if cell.fg == "default" else "#")
        return ("B" if letter == "." else letter.upper()) if cell.bold else letter

    def resize(self, width: int, height: int) -> None:
        """As xterm does, which cuts what is too wide; with `rewraps`, as most others, which wrap it."""
        if self._rewraps:
            self._rewrap(width, height)
        else:
            lost = max(self.screen.cursor.y + 1 - height, 0)
            self._scroll(lost)
            self.screen.resize(height, width)

    def _scroll(self, count: int) -> None:
        """Rows above the window's new top go to the scrollback, as in every terminal."""
        screen = self.screen
        for _ in range(count):
            screen.history.top.append(screen.buffer[0])
            kept = {y - 1: row for y, row in screen.buffer.items() if y > 0}
            screen.buffer.clear()
            screen.buffer.update(kept)
            screen.cursor.y -= 1

    def _rewrap(self, width: int, height: int) -> None:
        screen = self.screen
        above = list(_chunks((self._cells(y) for y in range(screen.cursor.y)), width))
        screen.resize(height, width)
        screen.reset_mode(7 << 5)  # nothing of this is typed
        screen.buffer.clear()
        hidden = max(len(above) + 1 - height, 0)
        for chunk in above[:hidden]:
            screen.buffer[0].update(enumerate(chunk))
            screen.history.top.append(screen.buffer.pop(0))
        for y, chunk in enumerate(above[hidden:]):
            screen.buffer[y].update(enumerate(chunk))
        screen.set_mode(7 << 5)
        screen.cursor.y, screen.cursor.x = len(above) - hidden, 0

    def _cells(self, y: int) -> list[pyte.screens.Char]:
        row = self.screen.buffer[y]
        return [row[x] for x in range(max(row, default=-1) + 1)]


def _chunks(rows: Iterable[list[pyte.screens.Char]], width: int) -> Iterable[list[pyte.screens.Char]]:
    for cells in rows:
        for start in range(0, max(len(cells), 1), width):
            yield cells[start : start + width]
