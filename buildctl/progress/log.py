"""What one vertex has written: pieces as they came, read as prefixed lines or as raw bytes.

Pieces are kept unparsed, and the daemon's serialized, because a display of a chatty build shows a small part
of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from buildctl.model.status import UnreadLogs
from buildctl.progress.intervals import seconds

PIECE_OVERHEAD = 128
"""Bytes that a kept piece costs besides its data: a budget that ignored them could be exceeded by a
flood of single bytes."""

LogPiece = tuple[int, bytes]
"""When a log message came, in nanoseconds after the start of the vertex's latest interval, and its bytes."""

_NEWLINE = 0x0A
_NO_PIECES: deque[LogPiece] = deque()
_NONE_UNREAD: deque[tuple[int | None, UnreadLogs]] = deque()
"""What a step has that prints nothing, as most do; never added to. An empty deque takes 760 bytes."""
_SLOT_NS = 500_000
"""Within half a millisecond the digits are the same, except maybe at its first nanosecond, which is a tie."""


class Log:
    """The kept pieces of one vertex's output; stdout and stderr are one stream, as on a terminal."""

    __slots__ = (
        "_kept_bytes",
        "_last",
        "_pieces",
        "_unread",
        "_unread_pieces",
        "dropped_bytes",
        "resumed",
        "total_bytes",
    )

    def __init__(self) -> None:
        self._pieces = _NO_PIECES
        self._unread = _NONE_UNREAD
        """What came after those; None: before the vertex had started."""
        self.resumed = False
        """The first kept piece goes on with a line whose beginning is no longer here."""
        self.total_bytes = 0
        """About all that ever came, kept or not."""
        self.dropped_bytes = 0
        """About all of it that is no longer here without having been taken."""
        self._kept_bytes = 0
        self._unread_pieces = 0
        self._last = b"\n"

    @property
    def pieces(self) -> deque[LogPiece]:
        """The kept pieces, all read."""
        self._read()
        return self._pieces

    @property
    def open_line(self) -> bool:
        """The last bytes did not end in a newline: what comes next belongs to the same line."""
        self._read()
        return self._last[-1] != _NEWLINE

    @property
    def cost(self) -> int:
        """What the kept pieces take of a budget."""
        return self._kept_bytes + PIECE_OVERHEAD * (len(self._pieces) + self._unread_pieces)

    def append(self, offset_ns: int, data: bytes) -> None:
        """Keep a piece; an empty one says nothing."""
        if not data:
            return
        self._read()
        self.total_bytes += len(data)
        self._kept_bytes += len(data)
        if not self._pieces:
            self.resumed = self._last[-1] != _NEWLINE
        if self._pieces is _NO_PIECES:
            self._pieces = deque()
        self._pieces.append((offset_ns, data))
        self._last = data

    def extend(self, start_ns: int | None, logs: UnreadLogs) -> None:
        """Keep pieces of an interval that began at `start_ns`, to be read when they are looked at."""
        size = logs.size_bytes
        if self._unread is _NONE_UNREAD:
            self._unread = deque()
        self._unread.append((start_ns, logs))
        self._unread_pieces += len(logs)
        self.total_bytes += size
        self._kept_bytes += size

    def take(self, limit: int | None = None) -> list[LogPiece]:
        """The kept pieces, which are forgotten here: for a display that prints each once.

        With a `limit`, pieces from the front until they have so many bytes.
        """
        pieces: list[LogPiece] = []
        self._read()
        if limit is None:
            pieces.extend(self._pieces)
            self._pieces.clear()
            self._kept_bytes = 0
            return pieces
        while self._pieces and limit > 0:
            pieces.append(piece := self._pieces.popleft())
            limit -= len(piece[1])
            self._kept_bytes -= len(piece[1])
        return pieces

    def clear(self) -> None:
        """Forget the kept pieces unread: for a display that will not show them."""
        self._pieces.clear()
        self._forget([logs for _, logs in self._unread])
        self._unread.clear()
        self._kept_bytes = 0

    def drop_oldest(self, cost: int) -> int:
        """Forget pieces from the front until `cost` is regained or none is left; returns what was."""
        left = cost
        while self._pieces and left > 0:
            _, data = self._pieces.popleft()
            self.resumed = data[-1] != _NEWLINE
            self._drop(len(data))
            left -= len(data) + PIECE_OVERHEAD
        dropped: list[UnreadLogs] = []
        while self._unread and left > 0:
            _, logs = self._unread.popleft()
            dropped.append(logs)
            self._drop(logs.size_bytes)
            left -= logs.size_bytes + PIECE_OVERHEAD * len(logs)
        self._forget(dropped)
        return cost - left

    def tail(self, limit: int) -> bytes:
        """The last kept bytes, raw, at most `limit`."""
        return self.last_lines(limit, None)[0]

    def last_lines(self, limit: int, lines: int | None) -> tuple[bytes, bool]:
        """What a small terminal may have to show: about so many lines, raw, and whether they begin with one.

        Pieces before those that hold them are not read, nor more than `limit` bytes; with None all lines are.
        """
        parts: list[bytes] = []
        pieces = self._backwards()
        for data in pieces:
            parts.append(data[-limit:])
            limit -= len(parts[-1])
            if limit <= 0 and len(parts[-1]) < len(data):
                begun = data[-len(parts[-1]) - 1] == _NEWLINE
                break
            if lines is not None:
                lines -= data.count(b"\n")
            if limit <= 0 or (lines is not None and lines < 0):
                before = next(filter(None, pieces), None)
                begun = self._begins_with_line if before is None else before[-1] == _NEWLINE
                break
        else:
            begun = self._begins_with_line
        return b"".join(reversed(parts)), begun

    def lines(self) -> Iterator[bytes]:
        """The kept lines as `SECS TEXT`, without newlines, an unterminated last one included."""
        text = prefixed(self.pieces, b"", resumed=self.resumed)
        if text.endswith(b"\n"):
            text = text[:-1]
        return iter(text.split(b"\n") if text else ())

    @property
    def _begins_with_line(self) -> bool:
        """What is kept does."""
        return not self.resumed if self._pieces else self._last[-1] == _NEWLINE

    def _forget(self, dropped: Sequence[UnreadLogs]) -> None:
        """What was not read and never will be; what comes next may go on with its last line."""
        self._unread_pieces -= sum(map(len, dropped))
        for logs in reversed(dropped):
            if data := logs[-1].data:
                self._last = data
                return

    def _drop(self, size: int) -> None:
        self.dropped_bytes += size
        self._kept_bytes -= size

    def _backwards(self) -> Iterator[bytes]:
        for _, logs in reversed(self._unread):
            yield from (log.data for log in reversed(logs))
        yield from (data for _, data in reversed(self._pieces))

    def _read(self) -> None:
        while self._unread:
            start_ns, logs = self._unread.popleft()
            self._unread_pieces -= len(logs)
            self._kept_bytes -= logs.size_bytes
            if pieces := logs.since(start_ns):
                if not self._pieces:
                    self.resumed = self._last[-1] != _NEWLINE
                if self._pieces is _NO_PIECES:
                    self._pieces = deque()
                self._pieces.extend(pieces)
                self._kept_bytes += sum([len(data) for _, data in pieces])
                self._last = pieces[-1][1]


def prefixed(pieces: Iterable[LogPiece], head: bytes, *, resumed: bool) -> bytes:
    """The text of `pieces` with `head` and the seconds, about four digits, before every line.

    A line keeps the seconds of the piece it began in. `resumed`: the first piece goes on with a line.
    """
    parts: list[bytes] = []
    form = head.replace(b"%", b"%%") + b"%.*f "
    start, shared = b"", None
    for offset_ns, data in pieces:
        slot, rest = divmod(offset_ns, _SLOT_NS)
        if slot != shared or not rest:
            elapsed = seconds(offset_ns)
            start = form % (3 if elapsed < 10 else 2 if elapsed < 100 else 1, elapsed)
            shared = slot if rest else None
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
