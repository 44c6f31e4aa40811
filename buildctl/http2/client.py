"""The client's end of an HTTP/2 connection: this client calls on the daemon."""

from __future__ import annotations

from collections.abc import Sequence

from buildctl.http2 import fields, frames
from buildctl.http2.connection import HEADER_TABLE_SIZE, Connection
from buildctl.http2.events import Event, ResponseReceived, TrailersReceived
from buildctl.http2.frames import ErrorCode, PeerError, Setting
from buildctl.http2.headers import MAX_HEADER_LIST_SIZE, Section
from buildctl.http2.streams import Closed, Stream
from buildctl.http2.windows import ReceiveWindow

WINDOW = 1 << 22
"""Of the connection and of each stream: at a round trip of 20 ms, 200 MB/s."""
FIRST_FINAL_STATUS = 200


class ClientConnection(Connection):
    """The peer is the server; this end speaks first."""

    _layer = "connection"
    _largest_push = 0

    def __init__(self) -> None:
        settings = (
            (Setting.HEADER_TABLE_SIZE, HEADER_TABLE_SIZE),
            (Setting.ENABLE_PUSH, 0),
            (Setting.INITIAL_WINDOW_SIZE, WINDOW),
            (Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_SIZE),
        )
        super().__init__(frames.FrameReader(frames.DEFAULT_FRAME_SIZE), settings, WINDOW)
        self._output.control.insert(0, frames.PREFACE)

    def request(self, section: Sequence[tuple[str, str]]) -> int:
        """Begin a request that `send_data` goes on with and `end` ends; returns its stream."""
        stream_id = self._streams.last_id + 2 if self._streams.last_id else 1
        self._streams.last_id = stream_id
        self._streams.add(Stream(stream_id, self._peer_stream_window, ReceiveWindow(stream_id, WINDOW), None))
        self._output.control.append(self._header_frames(stream_id, section, end_stream=False))
        return stream_id

    def end(self, stream_id: int) -> None:
        """End a request after all its content. On a stream that is gone this does nothing."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.trailers is None:
            stream.trailers = ()
            if not stream.unsent:
                self._output.control.append(self._finish(stream))

    @property
    def _last_peer_stream(self) -> int:
        return 0

    def _check_header_stream(self, stream_id: int) -> None:
        self._check_opened(stream_id, "HEADERS")

    def _receive_section(self, stream_id: int, section: Section | None, events: list[Event]) -> None:
        if section is None:  # there is more to come
            return
        stream = self._streams.get(stream_id)
        if stream is None:
            self._streams.check_late(stream_id, "HEADERS")
        elif stream.remote_closed:
            raise PeerError(ErrorCode.STREAM_CLOSED, "sent HEADERS after the end of the stream", stream_id)
        elif stream.has_begun:
            self._receive_trailers(stream, section, events)
        else:
            self._receive_response(stream, section, events)

    def _receive_response(self, stream: Stream, section: Section, events: list[Event]) -> None:
        response = fields.parse_response(stream.id, section)
        ends = self._headers.end_stream
        if response.status < FIRST_FINAL_STATUS:  # 8.1: more responses follow
            if ends:
                raise PeerError(ErrorCode.PROTOCOL_ERROR, "ended a stream without a response", stream.id)
            return
        if ends and response.content_length:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, "announced content and sent none", stream.id)
        stream.has_begun = True
        stream.content_left = response.content_length
        events.append(ResponseReceived(stream.id, response.status, response.fields, ends))
        if ends:
            self._end_remote(stream)

    def _receive_trailers(self, stream: Stream, section: Section, events: list[Event]) -> None:
        if not self._headers.end_stream:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, "sent trailers that do not end the stream", stream.id)
        trailers = fields.parse_trailers(stream.id, section, "response")
        if stream.content_left:
            raise PeerError(
                ErrorCode.PROTOCOL_ERROR, "sent content of another length than announced", stream.id
            )
        events.append(TrailersReceived(stream.id, trailers))
        self._end_remote(stream)

    def _end_remote(self, stream: Stream) -> None:
        super()._end_remote(stream)
        if stream.local_closed:
            self._streams.close(stream, Closed.BY_BOTH)

    def _finish(self, stream: Stream) -> bytes:
        stream.local_closed = True
        if stream.remote_closed:
            self._streams.close(stream, Closed.BY_BOTH)
        return frames.end_frame(stream.id)
