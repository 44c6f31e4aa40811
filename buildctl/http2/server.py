"""The server's end of an HTTP/2 connection: the daemon calls on this client through a session."""

from __future__ import annotations

from collections.abc import Sequence

from buildctl.http2 import fields, frames
from buildctl.http2.connection import HEADER_TABLE_SIZE, Connection
from buildctl.http2.events import DataReceived, Event, RequestReceived
from buildctl.http2.frames import ErrorCode, PeerError, Setting
from buildctl.http2.headers import MAX_HEADER_LIST_SIZE, Section
from buildctl.http2.streams import Closed, Stream
from buildctl.http2.windows import INITIAL_WINDOW, ReceiveWindow

# What the Go server of a session announces (recorded), so that a daemon meets what it is used to.
MAX_CONCURRENT_STREAMS = 250
MAX_FRAME_SIZE = 1 << 20
CONNECTION_WINDOW = 1 << 21

STREAM_WINDOW = 1 << 14
"""What a stream begins with: unlike the Go server's, too little for content, which has to be asked for
(`widen`). A window cannot be made smaller again, and where short messages come faster than they are taken a
small one makes the daemon gather them (`FileSync`)."""
CONTENT_WINDOW = 1 << 20
"""The Go server's."""


class ServerConnection(Connection):
    """The peer is the client, which speaks first."""

    _layer = "session"
    _largest_push = 1

    def __init__(self) -> None:
        settings = (
            (Setting.HEADER_TABLE_SIZE, HEADER_TABLE_SIZE),
            (Setting.MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS),
            (Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW),
            (Setting.MAX_FRAME_SIZE, MAX_FRAME_SIZE),
            (Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_SIZE),
        )
        super().__init__(frames.FrameReader(MAX_FRAME_SIZE, frames.PREFACE), settings, CONNECTION_WINDOW)
        self._going_away = False

    def widen(self, stream_id: int) -> None:
        """Let the peer send `CONTENT_WINDOW` ahead of what is acknowledged on a stream."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.remote_closed:
            grant = stream.receive_window.widen(CONTENT_WINDOW)
            if grant:
                self._output.control.append(frames.window_update_frame(stream_id, grant))

    def go_away(self, code: ErrorCode, debug: str = "") -> None:
        self._going_away = True
        super().go_away(code, debug)

    @property
    def _last_peer_stream(self) -> int:
        return self._streams.last_id

    def _check_header_stream(self, stream_id: int) -> None:
        if not stream_id % 2:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, f"opened stream {stream_id}, a server's")

    def _receive_section(self, stream_id: int, section: Section | None, events: list[Event]) -> None:
        if section is None:  # there is more to come
            return
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._receive_trailers(stream, section, events)
        elif self._streams.is_idle(stream_id):
            self._open_stream(stream_id, section, events)
        else:
            self._streams.check_late(stream_id, "HEADERS")

    def _open_stream(self, stream_id: int, section: Section, events: list[Event]) -> None:
        if self._going_away:  # 6.8: streams above the announced one are ignored
            return
        self._streams.last_id = stream_id
        if len(self._streams) >= MAX_CONCURRENT_STREAMS:
            raise PeerError(ErrorCode.REFUSED_STREAM, "opened too many streams at once", stream_id)
        request = fields.parse_request(stream_id, section)
        if self._headers.end_stream and request.content_length:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, "announced content and sent none", stream_id)
        # Until it has our settings the peer goes by the window that every stream has without (6.9.2).
        slack = 0 if self._settled else INITIAL_WINDOW - STREAM_WINDOW
        receive_window = ReceiveWindow(stream_id, STREAM_WINDOW, slack)
        stream = Stream(stream_id, self._peer_stream_window, receive_window, request.content_length)
        stream.has_begun = True
        stream.remote_closed = self._headers.end_stream
        self._streams.add(stream)
        events.append(
            RequestReceived(stream.id, request.method, request.path, request.fields, self._headers.end_stream)
        )

    def _receive_trailers(self, stream: Stream, section: Section, events: list[Event]) -> None:
        if stream.remote_closed:
            raise PeerError(ErrorCode.STREAM_CLOSED, "sent HEADERS after the end of the stream", stream.id)
        if not self._headers.end_stream:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, "sent trailers that do not end the stream", stream.id)
        fields.parse_trailers(stream.id, section)  # of which a gRPC request has none with a meaning
        if stream.content_left:
            raise PeerError(
                ErrorCode.PROTOCOL_ERROR, "sent content of another length than announced", stream.id
            )
        events.append(DataReceived(stream.id, b"", True))
        self._end_remote(stream)

    def send_headers(self, stream_id: int, section: Sequence[tuple[str, str]]) -> None:
        """Begin a response. On a stream that is gone this does nothing, nor do the other ways to send."""
        if self._streams.get(stream_id) is not None:
            self._output.control.append(self._header_frames(stream_id, section, end_stream=False))

    def send_trailers(self, stream_id: int, section: Sequence[tuple[str, str]]) -> None:
        """End a response after all its content (or begin and end it in one section)."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.trailers = section
            if not stream.unsent:
                self._output.control.append(self._finish(stream))

    def _finish(self, stream: Stream) -> bytes:
        """The frames that end a response whose content has been sent."""
        assert stream.trailers is not None
        end = self._header_frames(stream.id, stream.trailers, end_stream=True)
        self._excess_resets = max(0, self._excess_resets - 1)
        if stream.remote_closed:
            self._streams.close(stream, Closed.BY_BOTH)
        else:  # 8.1: the answer is complete, the rest of the request is not wanted
            self._streams.close(stream, Closed.BY_US)
            end += frames.rst_stream_frame(stream.id, ErrorCode.NO_ERROR)
        return end
