"""What one vertex has written: pieces as they came, read as prefixed lines or as raw bytes.

Pieces are kept unparsed, because a display of a chatty build shows a small part of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from buildctl.progress.intervals import seconds

PIECE_OVERHEAD = 128
"""Bytes that a kept piece costs besides its data: a budget that ignored them could be exceeded by a
flood of single bytes."""


class LogPiece(NamedTuple):
    """Bytes of one log message, and when they came after the start of the vertex's latest interval."""

    offset_ns: int
    data: bytes


class Log:
    """The kept pieces of one vertex's output; stdout and stderr are one stream, as on a terminal."""

    __slots__ = ("cost", "dropped_bytes", "open_line", "pieces", "resumed", "total_bytes")

    def __init__(self) -> None:
        self.pieces: deque[LogPiece] = deque()
        self.open_line = False
        """The last bytes did not end in a newline: what comes next belongs to the same line."""
        self.resumed = False
        """The first kept piece goes on with a line whose beginning is no longer here."""
        self.total_bytes = 0
        """All that ever came, kept or not."""
        self.dropped_bytes = 0
        self.cost = 0
        """What the kept pieces take of a budget."""

    def append(self, offset_ns: int, data: bytes) -> int:
        """Keep a piece and return its cost; an empty one says nothing."""
        if not data:
            return 0
        if not self.pieces:
            self.resumed = self.open_line
        self.pieces.append(LogPiece(offset_ns, data))
        self.open_line = data[-1] != 0x0A
        size = len(data)
        self.total_bytes += size
        self.cost += (cost := size + PIECE_OVERHEAD)
        return cost

    def take(self) -> list[LogPiece]:
        """The kept pieces, which are forgotten here: for a display that prints each once."""
        pieces = list(self.pieces)
        self.pieces.clear()
        self.cost = 0
        return pieces

    def drop_oldest(self, cost: int) -> int:
        """Forget pieces from the front until `cost` is regained or none is left; returns what was."""
        regained = 0
        while self.pieces and regained < cost:
            data = self.pieces.popleft().data
            self.resumed = data[-1] != 0x0A
            self.dropped_bytes += len(data)
            regained += len(data) + PIECE_OVERHEAD
        self.cost -= regained
        return regained

    def tail(self, limit: int) -> bytes:
        """The last kept bytes, raw, at most `limit`: what a small terminal may have to show."""
        parts: list[bytes] = []
        for piece in reversed(self.pieces):
            parts.append(piece.data[-limit:])
            limit -= len(parts[-1])
            if limit <= 0:
                break
        return b"".join(reversed(parts))

    def lines(self) -> Iterator[bytes]:
        """The kept lines as `SECS TEXT`, without newlines, an unterminated last one included."""
        text = prefixed(self.pieces, b"", resumed=self.resumed)
        if text.endswith(b"\n"):
            text = text[:-1]
        return iter(text.split(b"\n") if text else ())


def prefixed(pieces: Iterable[LogPiece], head: bytes, *, resumed: bool) -> bytes:
    """The text of `pieces` with `head` and the seconds before every line that begins in them.

    A line keeps the seconds of the piece it began in. `resumed`: the first piece goes on with a line.
    """
    parts: list[bytes] = []
    for offset_ns, data in pieces:
        start = head + _stamp(offset_ns)
        if not resumed:
            parts.append(start)
        resumed = data[-1] != 0x0A
        if resumed:
            parts.append(data.replace(b"\n", b"\n" + start))
        else:
            # The newline at the end begins no line yet: the next piece will, at its own time.
            parts.append(data.replace(b"\n", b"\n" + start, data.count(b"\n") - 1))
    return b"".join(parts)


def _stamp(offset_ns: int) -> bytes:
    """Seconds and a space, about four digits of them."""
    elapsed = seconds(offset_ns)
    if elapsed < 10:
        return b"%.3f " % elapsed
    if elapsed < 100:
        return b"%.2f " % elapsed
    return b"%.1f " % elapsed
