"""Flow-control windows (RFC 9113 section 5.2 and 6.9): how much may still be sent, in either direction.

Sending: the peer grants, we spend. A window may be negative after SETTINGS made it smaller, and then
nothing is sent until grants have lifted it above zero.

Receiving: we grant what has been consumed, in large steps. A grant a frame would cost as much as the
frame: so consumed bytes gather until they are half the window, and are granted in one WINDOW_UPDATE; the
peer then has never less than half a window to fill while the grant is on its way.
"""

from __future__ import annotations

from buildctl.http2.frames import ErrorCode, PeerError

INITIAL_WINDOW = (1 << 16) - 1  # 6.9.2: before any SETTINGS or WINDOW_UPDATE
LARGEST_WINDOW = (1 << 31) - 1


class SendWindow:
    """What the peer still takes on one stream (or, as stream 0, on the connection)."""

    __slots__ = ("available", "stream_id")

    def __init__(self, stream_id: int, size: int = INITIAL_WINDOW) -> None:
        self.stream_id = stream_id
        self.available = size  # spent by the owner, in its hot loop

    def grant(self, increment: int) -> None:
        """A WINDOW_UPDATE."""
        if not increment:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, "sent WINDOW_UPDATE of nothing", self.stream_id)
        if self.available + increment > LARGEST_WINDOW:
            raise PeerError(
                ErrorCode.FLOW_CONTROL_ERROR, "granted a window beyond 2^31-1 bytes", self.stream_id
            )
        self.available += increment

    def resize(self, change: int) -> None:
        """A change of SETTINGS_INITIAL_WINDOW_SIZE; too much is a connection error (6.9.2)."""
        if self.available + change > LARGEST_WINDOW:
            raise PeerError(ErrorCode.FLOW_CONTROL_ERROR, "resized a window beyond 2^31-1 bytes")
        self.available += change


class ReceiveWindow:
    """What the peer may still send on one stream (or, as stream 0, on the connection)."""

    __slots__ = ("_available", "_consumed", "_size", "stream_id")

    def __init__(self, stream_id: int, size: int, slack: int = 0) -> None:
        """`slack` is what a peer may send beyond the window because it does not know it yet."""
        self.stream_id = stream_id
        self._size = size
        self._available = size + slack
        self._consumed = 0

    def receive(self, size: int) -> None:
        """Flow-controlled bytes have arrived."""
        if size > self._available:
            raise PeerError(
                ErrorCode.FLOW_CONTROL_ERROR,
                f"sent {size} bytes of DATA into a window of {self._available}",
                self.stream_id,
            )
        self._available -= size

    def consume(self, size: int) -> int:
        """Bytes that arrived are held no longer; return what is to be granted now, most often nothing."""
        self._consumed += size
        if 2 * self._consumed < self._size:
            return 0
        grant, self._consumed = self._consumed, 0
        self._available += grant
        return grant

    def widen(self, size: int) -> int:
        """Let more be under way from now on; return the grant for it, 0 if it is no more."""
        growth = max(0, size - self._size)
        self._size += growth
        self._available += growth
        return growth
