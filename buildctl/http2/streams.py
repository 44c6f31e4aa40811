"""The streams of a connection: those that are open, and how the latest others closed (RFC 9113, 5.1)."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator, Sequence

from buildctl.http2.frames import ErrorCode, PeerError
from buildctl.http2.windows import ReceiveWindow, SendWindow

LARGEST_STREAM_ID = (1 << 31) - 1
REMEMBERED = 1_000  # closed streams of which it is known how they closed


class Closed(enum.Enum):
    """How a stream closed decides what its late frames are."""

    BY_BOTH = enum.auto()  # everything was said: more of it breaks the connection
    BY_PEER = enum.auto()  # it reset the stream: more is a stream error
    BY_US = enum.auto()  # it may not know yet: ignored


class Stream:
    """One call: what comes in of it, and what waits to go out."""

    __slots__ = (
        "content_left",
        "has_begun",
        "id",
        "local_closed",
        "output",
        "queued",
        "receive_window",
        "remote_closed",
        "send_window",
        "trailers",
        "unsent",
    )

    def __init__(
        self, stream_id: int, send_window: int, receive_window: ReceiveWindow, content_length: int | None
    ) -> None:
        self.id = stream_id
        self.send_window = SendWindow(stream_id, send_window)
        self.receive_window = receive_window
        self.content_left = content_length
        self.remote_closed = False
        self.local_closed = False  # a request was ended; a response closes its stream
        self.has_begun = False  # what comes in of it: a request, or the response to one
        self.output: deque[memoryview] = deque()
        self.unsent = 0  # bytes in output
        self.trailers: Sequence[tuple[str, str]] | None = None  # to follow when output is empty
        self.queued = False  # it stands in a queue of streams that can send


class Streams:
    """Streams by id. The client's ids are odd and grow; opening one closes all below that never were."""

    def __init__(self) -> None:
        self.last_id = 0
        self._open: dict[int, Stream] = {}
        self._closed: dict[int, Closed] = {}
        self.get = self._open.get

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._open.values())

    def add(self, stream: Stream) -> None:
        self._open[stream.id] = stream

    def close(self, stream: Stream, how: Closed) -> None:
        del self._open[stream.id]
        stream.output.clear()
        stream.unsent = 0
        self.remember(stream.id, how)

    def remember(self, stream_id: int, how: Closed) -> None:
        self._closed[stream_id] = how
        if len(self._closed) > REMEMBERED:
            del self._closed[next(iter(self._closed))]

    def is_idle(self, stream_id: int) -> bool:
        """No such stream was opened; only a client's HEADERS can."""
        return stream_id > self.last_id or not stream_id % 2

    def check_late(self, stream_id: int, name: str) -> None:
        """Judge DATA or HEADERS on a stream that is closed; those that may be ignored pass.

        A stream that is not remembered is one that the peer skipped, or done with long ago.
        """
        closed = self._closed.get(stream_id)
        if closed is Closed.BY_BOTH:
            raise PeerError(ErrorCode.STREAM_CLOSED, f"sent {name} on a closed stream")
        if closed is Closed.BY_PEER:
            raise PeerError(ErrorCode.STREAM_CLOSED, f"sent {name} on a stream that it had reset", stream_id)
        if closed is None:
            raise PeerError(
                ErrorCode.PROTOCOL_ERROR, f"sent {name} on stream {stream_id} after {self.last_id}"
            )
