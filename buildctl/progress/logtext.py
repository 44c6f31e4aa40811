"""A step's output as whole lines that a log may hold: colours stay, nothing else is obeyed.

What a carriage return would overwrite on a terminal is left out, so that a progress bar is one line. Cursor
movements, titles, the clipboard and the like are dropped, bidirectional and other invisible characters become
their escapes. Colours end with their line and are taken up again by the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from buildctl.progress.intervals import seconds
from buildctl.progress.log import LogPiece
from buildctl.progress.visible import visible
from buildctl.progress.vt import SEQUENCE

LINE_LIMIT = 64 << 10
"""Bytes of a line; a longer one is broken there."""
_INK_LIMIT = 64
"""Characters of colour sequences that are carried into the next line."""
_UNUSUAL = re.compile(rb"[^\t\n\x20-\x7e]")
_RESET_AT_LAST = re.compile(
    rb"(?:[\t\x20-\x7e]|\x1b\[[0-9;:]{0,63}m)*\x1b\[0?m[\t\x20-\x7e]*"  # the usual coloured line
)
_RESET = "\x1b[0m"


class LogLines:
    """The lines of one step; a line keeps the seconds of the piece it began in."""

    __slots__ = ("_ink", "_offset_ns", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._offset_ns = 0
        self._ink = ""

    @property
    def open_line(self) -> bool:
        """The last line is not complete yet."""
        return bool(self._rest)

    def feed(self, pieces: Iterable[LogPiece]) -> list[str]:
        """The lines that these pieces complete, as `SECONDS TEXT` without newlines."""
        lines: list[str] = []
        for offset_ns, data in pieces:
            if self._is_simple(data):
                start = _start(offset_ns)
                lines += [start + line for line in data[:-1].decode("ascii").split("\n")]
                continue
            first, *others = data.split(b"\n")
            if not self._rest:
                self._offset_ns = offset_ns
            self._rest += first
            if others:
                lines += self._whole(self._rest)
                for line in others[:-1]:
                    self._offset_ns = offset_ns
                    lines += self._whole(line)
                self._offset_ns = offset_ns
                self._rest = bytearray(others[-1])
            while len(self._rest) > LINE_LIMIT:
                lines.append(self._line(self._rest[:LINE_LIMIT]))
                del self._rest[:LINE_LIMIT]
        return lines

    def end(self) -> list[str]:
        """The unterminated last line, if there is one."""
        rest, self._rest = self._rest, bytearray()
        return self._whole(rest) if rest else []

    def _is_simple(self, data: bytes) -> bool:
        """Whole lines of printable ASCII, as most pieces are."""
        fresh = not self._rest and not self._ink
        return fresh and data.endswith(b"\n") and len(data) <= LINE_LIMIT and not _UNUSUAL.search(data)

    def _whole(self, line: bytes | bytearray) -> list[str]:
        if len(line) <= LINE_LIMIT:
            return [self._line(line)]
        return [self._line(line[start : start + LINE_LIMIT]) for start in range(0, len(line), LINE_LIMIT)]

    def _line(self, raw: bytes | bytearray) -> str:
        text, self._ink = clean(raw, self._ink)
        return _start(self._offset_ns) + text


def _start(offset_ns: int) -> str:
    """The seconds before a line, about four digits."""
    elapsed = seconds(offset_ns)
    return f"{elapsed:.{3 if elapsed < 10 else 2 if elapsed < 100 else 1}f} "


def clean(raw: bytes | bytearray, ink: str = "") -> tuple[str, str]:
    """One line without its newline, begun in the colours `ink`; and the colours after it."""
    if not ink and not _UNUSUAL.search(raw):
        return raw.decode("ascii"), ""
    if _RESET_AT_LAST.fullmatch(raw):
        return ink + raw.decode("ascii") + _RESET, ""
    # What is left of a line that was rewritten is what was written last.
    text = raw.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
    parts = [ink]
    colored = bool(ink)
    position = 0
    for found in SEQUENCE.finditer(text):
        parts.append(visible(text[position : found.start()]))
        position = found.end()
        if found["control"] == "\t":
            parts.append("\t")
        elif found["final"] == "m" and len(found["args"]) < _INK_LIMIT and _is_color(found["args"]):
            color = f"\x1b[{found['args']}m"
            parts.append(color)
            colored = True
            if found["args"].strip("0") == "":
                ink = ""
            else:
                ink = ink + color if len(ink) + len(color) <= _INK_LIMIT else color
    parts.append(visible(text[position:]))
    if colored:
        parts.append(_RESET)
    return "".join(parts), ink


def _is_color(args: str) -> bool:
    return re.fullmatch("[0-9;:]*", args) is not None
