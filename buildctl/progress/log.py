"""What one vertex has written: pieces as they came, read as prefixed lines or as raw bytes.

Pieces are kept unparsed, because a display of a chatty build shows a small part of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from buildctl.progress.intervals import seconds

PIECE_OVERHEAD = 128
"""Bytes that a kept piece costs besides its data: a budget that ignored them could be exceeded by a
flood of single bytes."""

LogPiece = tuple[int, bytes]
"""When a log message came, in nanoseconds after the start of the vertex's latest interval, and its bytes."""

_NEWLINE = 0x0A


class Log:
    """The kept pieces of one vertex's output; stdout and stderr are one stream, as on a terminal."""

    __slots__ = ("_kept_bytes", "_last", "dropped_bytes", "pieces", "resumed", "total_bytes")

    def __init__(self) -> None:
        self.pieces: deque[LogPiece] = deque()
        self.resumed = False
        """The first kept piece goes on with a line whose beginning is no longer here."""
        self.total_bytes = 0
        """All that ever came, kept or not."""
        self.dropped_bytes = 0
        self._kept_bytes = 0
        self._last = b"\n"

    @property
    def open_line(self) -> bool:
        """The last bytes did not end in a newline: what comes next belongs to the same line."""
        return self._last[-1] != _NEWLINE

    @property
    def cost(self) -> int:
        """What the kept pieces take of a budget."""
        return self._kept_bytes + PIECE_OVERHEAD * len(self.pieces)

    def append(self, offset_ns: int, data: bytes) -> None:
        """Keep a piece; an empty one says nothing."""
        if not data:
            return
        if not self.pieces:
            self.resumed = self.open_line
        self.pieces.append((offset_ns, data))
        self._last = data
        size = len(data)
        self.total_bytes += size
        self._kept_bytes += size

    def take(self, limit: int | None = None) -> list[LogPiece]:
        """The kept pieces, which are forgotten here: for a display that prints each once.

        With a `limit`, pieces from the front until they have so many bytes.
        """
        pieces: list[LogPiece] = []
        if limit is None:
            pieces.extend(self.pieces)
            self.pieces.clear()
            self._kept_bytes = 0
            return pieces
        while self.pieces and limit > 0:
            pieces.append(piece := self.pieces.popleft())
            limit -= len(piece[1])
            self._kept_bytes -= len(piece[1])
        return pieces

    def drop_oldest(self, cost: int) -> int:
        """Forget pieces from the front until `cost` is regained or none is left; returns what was."""
        before = self.cost
        while self.pieces and before - self.cost < cost:
            _, data = self.pieces.popleft()
            self.resumed = data[-1] != _NEWLINE
            self.dropped_bytes += len(data)
            self._kept_bytes -= len(data)
        return before - self.cost

    def tail(self, limit: int) -> bytes:
        """The last kept bytes, raw, at most `limit`: what a small terminal may have to show."""
        parts: list[bytes] = []
        for _, data in reversed(self.pieces):
            parts.append(data[-limit:])
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
    """The text of `pieces` with `head` and the seconds, about four digits, before every line.

    A line keeps the seconds of the piece it began in. `resumed`: the first piece goes on with a line.
    """
    parts: list[bytes] = []
    form = head.replace(b"%", b"%%") + b"%.*f "
    for offset_ns, data in pieces:
        elapsed = seconds(offset_ns)
        start = form % (3 if elapsed < 10 else 2 if elapsed < 100 else 1, elapsed)
        if not resumed:
            parts.append(start)
        end = len(data) - 1
        if data.find(b"\n", 0, end) < 0:  # one line or a part of one, as most pieces are
            parts.append(data)
        elif data[end] == _NEWLINE:
            # The newline at the end begins no line yet: the next piece will, at its own time.
            parts.append(data[:end].replace(b"\n", b"\n" + start))
            parts.append(b"\n")
        else:
            parts.append(data.replace(b"\n", b"\n" + start))
        resumed = data[end] != _NEWLINE
    return b"".join(parts)
