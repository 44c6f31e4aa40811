"""One HTTP/2 connection seen from either end: bytes in, events out, bytes to send; no I/O (RFC 9113).

`receive_data` turns the peer's bytes into events and queues what the protocol owes in return;
`data_to_send` takes what is to be written next, in the order of `output`. What only a server or only a client
does is in `server` and `client`.

A stream error resets its stream and is reported as `StreamReset`. A connection error queues GOAWAY and
raises `ProtocolError`; after it only `data_to_send` may be called.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

import hpack

from buildctl.errors import ProtocolError
from buildctl.http2 import frames
from buildctl.http2.events import DataReceived, Event, GoAway, StreamReset
from buildctl.http2.frames import Buffer, ErrorCode, Flag, FrameType, PeerError, Setting
from buildctl.http2.headers import HeaderReader, Section
from buildctl.http2.output import Output
from buildctl.http2.streams import LARGEST_STREAM_ID, Closed, Stream, Streams
from buildctl.http2.windows import INITIAL_WINDOW, LARGEST_WINDOW, ReceiveWindow

HEADER_TABLE_SIZE = 4096

# Floods. Each limit is far above what a real peer does, and reaching it costs us little.
MAX_QUEUED_CONTROL_FRAMES = 10_000  # not taken by the peer; maxQueuedControlFrames of Go's net/http2
MAX_IDLE_FRAMES = 10_000  # in a row that move no content either way; CVE-2019-9512, -9515 and -9518
MAX_EXCESS_RESETS = 1_000  # resets beyond completed calls; nghttp2's burst since CVE-2023-44487
MAX_SETTINGS = 32  # in one frame; nghttp2's limit since CVE-2020-11080


class Connection(ABC):
    """What both ends do. Streams are the client's: a server of gRPC pushes none."""

    _layer: str
    """What an error text says was broken."""
    _largest_push: int
    """Of the peer's ENABLE_PUSH (6.5.2)."""

    def __init__(
        self, reader: frames.FrameReader, settings: Sequence[tuple[Setting, int]], connection_window: int
    ) -> None:
        self._frames = reader
        self._headers = HeaderReader()
        self._encoder = hpack.Encoder()
        self._streams = Streams()
        self._output = Output()
        self._receive_window = ReceiveWindow(0, connection_window)
        self._peer_stream_window = INITIAL_WINDOW
        self._greeted = False
        self._settled = False  # the peer has acknowledged our settings
        self._idle_frames = 0
        self._excess_resets = 0
        self._output.control += (
            frames.settings_frame(settings),
            frames.window_update_frame(0, connection_window - INITIAL_WINDOW),
        )
        self._handlers: dict[int, Callable[[int, int, memoryview, list[Event]], None]] = {
            FrameType.DATA: self._on_data,
            FrameType.HEADERS: self._on_headers,
            FrameType.RST_STREAM: self._on_rst_stream,
            FrameType.SETTINGS: self._on_settings,
            FrameType.PUSH_PROMISE: self._on_push_promise,
            FrameType.PING: self._on_ping,
            FrameType.GOAWAY: self._on_goaway,
            FrameType.WINDOW_UPDATE: self._on_window_update,
            FrameType.CONTINUATION: self._on_continuation,
        }

    # Receiving

    def receive_data(self, data: Buffer) -> list[Event]:
        """What the peer's next bytes mean. Raises `ProtocolError` when they break the connection."""
        events: list[Event] = []
        try:
            for kind, flags, stream_id, payload in self._frames.feed(data):
                try:
                    if kind or not stream_id or self._headers.stream_id or not self._greeted:
                        self._check_frame(kind, flags, stream_id, len(payload))
                    self._idle_frames += 1
                    if self._idle_frames > MAX_IDLE_FRAMES:
                        raise PeerError(
                            ErrorCode.ENHANCE_YOUR_CALM, "sends frame after frame without content"
                        )
                    handler = self._handlers.get(kind)
                    if handler is not None:  # PRIORITY is obsolete, unknown types mean nothing (5.3, 5.5)
                        handler(flags, stream_id, payload, events)
                except PeerError as error:
                    self._fail_stream(error, events)
            if len(self._output.control) > MAX_QUEUED_CONTROL_FRAMES:
                raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, "asks for more answers than it takes")
        except PeerError as error:
            self._output.clear()
            self.go_away(error.code, error.text)
            text = f"{self._layer}: the daemon {error.text} (HTTP/2 {error.code.name})"
            raise ProtocolError(text) from None
        return events

    def acknowledge(self, stream_id: int, size: int) -> None:
        """The owner holds `size` bytes of the stream's content no longer: the peer may send more."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.remote_closed:
            grant = stream.receive_window.consume(size)
            if grant:
                self._output.control.append(frames.window_update_frame(stream_id, grant))

    def _check_frame(self, kind: int, flags: int, stream_id: int, size: int) -> None:
        """Whether the frame can be, and can be now; DATA in its place is known to be."""
        frames.check_frame(kind, stream_id, size)
        if self._headers.stream_id:
            if kind != FrameType.CONTINUATION or stream_id != self._headers.stream_id:
                raise PeerError(ErrorCode.PROTOCOL_ERROR, "interrupted a header block")
        elif not self._greeted:
            if kind != FrameType.SETTINGS or flags & Flag.ACK:
                raise PeerError(ErrorCode.PROTOCOL_ERROR, "did not begin with SETTINGS")
            self._greeted = True

    def _on_data(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        size = len(payload)
        self._receive_window.receive(size)
        # The connection's window is given back at once, or one stream that is not read would stop all.
        grant = self._receive_window.consume(size)
        if grant:
            self._output.control.append(frames.window_update_frame(0, grant))
        data = frames.unpad(flags, payload) if flags & Flag.PADDED else payload
        if data:
            self._idle_frames = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            self._check_opened(stream_id, "DATA")
            self._streams.check_late(stream_id, "DATA")
            return
        if stream.remote_closed:
            raise PeerError(ErrorCode.STREAM_CLOSED, "sent DATA after the end of the stream", stream.id)
        if not stream.has_begun:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, "sent DATA before a response", stream.id)
        stream.receive_window.receive(size)
        end_stream = bool(flags & Flag.END_STREAM)
        if stream.content_left is not None:
            stream.content_left -= len(data)
            if stream.content_left < 0 or (end_stream and stream.content_left):
                raise PeerError(
                    ErrorCode.PROTOCOL_ERROR, "sent content of another length than announced", stream.id
                )
        if size != len(data):
            self.acknowledge(stream.id, size - len(data))
        events.append(DataReceived(stream.id, data, end_stream))
        if end_stream:
            self._end_remote(stream)

    def _on_headers(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        self._check_header_stream(stream_id)
        payload = frames.unpad(flags, payload)
        if flags & Flag.PRIORITY:
            if len(payload) < 5:
                raise PeerError(ErrorCode.FRAME_SIZE_ERROR, "sent HEADERS without room for its priority")
            payload = payload[5:]
        self._receive_section(stream_id, self._headers.begin(stream_id, flags, payload), events)

    def _on_continuation(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        self._receive_section(stream_id, self._headers.go_on(flags, payload), events)

    @abstractmethod
    def _check_header_stream(self, stream_id: int) -> None:
        """Whether the peer may send HEADERS on a stream of this number at all."""

    @abstractmethod
    def _receive_section(self, stream_id: int, section: Section | None, events: list[Event]) -> None:
        """Take a header section, or None where there is more of it to come."""

    def _end_remote(self, stream: Stream) -> None:
        """The peer has said all on a stream."""
        stream.remote_closed = True

    def _on_rst_stream(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        stream = self._streams.get(stream_id)
        code = int.from_bytes(payload, "big")
        if stream is None:
            self._check_opened(stream_id, "RST_STREAM")
            return
        self._streams.close(stream, Closed.BY_PEER)
        events.append(StreamReset(stream.id, code, ""))
        self._count_reset()

    def _on_settings(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        if len(payload) % 6 or (flags & Flag.ACK and payload):
            raise PeerError(ErrorCode.FRAME_SIZE_ERROR, f"sent SETTINGS of {len(payload)} bytes")
        if flags & Flag.ACK:
            self._settled = True
            return
        if len(payload) > 6 * MAX_SETTINGS:
            raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, f"sent more than {MAX_SETTINGS} settings at once")
        for i in range(0, len(payload), 6):
            self._apply_setting(
                int.from_bytes(payload[i : i + 2], "big"), int.from_bytes(payload[i + 2 : i + 6], "big")
            )
        self._output.control.append(frames.SETTINGS_ACK)

    def _apply_setting(self, key: int, value: int) -> None:
        if key == Setting.HEADER_TABLE_SIZE:
            self._encoder.header_table_size = min(value, HEADER_TABLE_SIZE)
        elif key == Setting.ENABLE_PUSH and value > self._largest_push:
            raise PeerError(ErrorCode.PROTOCOL_ERROR, f"set ENABLE_PUSH to {value}")
        elif key == Setting.INITIAL_WINDOW_SIZE:
            if value > LARGEST_WINDOW:
                raise PeerError(ErrorCode.FLOW_CONTROL_ERROR, f"set INITIAL_WINDOW_SIZE to {value}")
            change, self._peer_stream_window = value - self._peer_stream_window, value
            for stream in self._streams:
                stream.send_window.resize(change)
                self._output.queue(stream)
        elif key == Setting.MAX_FRAME_SIZE:
            if not frames.DEFAULT_FRAME_SIZE <= value <= frames.LARGEST_FRAME_SIZE:
                raise PeerError(ErrorCode.PROTOCOL_ERROR, f"set MAX_FRAME_SIZE to {value}")
            self._output.frame_size = value

    def _on_push_promise(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        raise PeerError(ErrorCode.PROTOCOL_ERROR, "sent PUSH_PROMISE, which is not allowed")

    def _on_ping(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        if not flags & Flag.ACK:
            self._output.control.append(frames.ping_ack_frame(bytes(payload)))

    def _on_goaway(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        debug = bytes(payload[8:]).decode("utf-8", "replace")
        last_stream_id = int.from_bytes(payload[:4], "big") & LARGEST_STREAM_ID
        events.append(GoAway(last_stream_id, int.from_bytes(payload[4:8], "big"), debug))

    def _on_window_update(self, flags: int, stream_id: int, payload: memoryview, events: list[Event]) -> None:
        increment = int.from_bytes(payload, "big") & LARGEST_WINDOW
        if not stream_id:
            self._output.window.grant(increment)
            return
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.send_window.grant(increment)
            self._output.queue(stream)
        else:
            self._check_opened(stream_id, "WINDOW_UPDATE")

    def _check_opened(self, stream_id: int, name: str) -> None:
        """On an idle stream nothing but HEADERS may come; a reset or a grant for a closed one is no news."""
        if self._streams.is_idle(stream_id):
            raise PeerError(ErrorCode.PROTOCOL_ERROR, f"sent {name} on a stream that was never opened")

    # Calls that fail

    def _fail_stream(self, error: PeerError, events: list[Event]) -> None:
        if self._streams.is_idle(error.stream_id):  # the connection, or a stream that cannot be reset
            raise error
        self._output.control.append(frames.rst_stream_frame(error.stream_id, error.code))
        stream = self._streams.get(error.stream_id)
        if stream is not None:
            self._streams.close(stream, Closed.BY_US)
            events.append(StreamReset(stream.id, error.code, error.text))
        else:
            self._streams.remember(error.stream_id, Closed.BY_US)
        self._count_reset()

    def _count_reset(self) -> None:
        """Calls that are opened and thrown away cost us work and the peer nothing."""
        self._excess_resets += 1
        if self._excess_resets > MAX_EXCESS_RESETS:
            raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, "resets streams as fast as it opens them")

    # Sending

    def send_data(self, stream_id: int, data: Iterable[Buffer]) -> None:
        """Queue content, which must not change until it has been sent."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._output.add(stream, data)

    def reset_stream(self, stream_id: int, code: ErrorCode) -> None:
        """Give a stream up, what it still had to send included."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._streams.close(stream, Closed.BY_US)
            self._output.control.append(frames.rst_stream_frame(stream_id, code))

    def go_away(self, code: ErrorCode, debug: str = "") -> None:
        """Let no more streams be opened."""
        self._output.control.append(
            frames.goaway_frame(self._last_peer_stream, code, debug.encode("utf-8", "replace"))
        )

    @property
    @abstractmethod
    def _last_peer_stream(self) -> int:
        """The latest stream that the peer opened."""

    def unsent(self, stream_id: int) -> int:
        """How much content of the stream waits for flow control and its turn."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.unsent

    @property
    def open_streams(self) -> int:
        """How many calls are under way, those included whose answer waits to be sent."""
        return len(self._streams)

    def data_to_send(self, limit: int) -> list[Buffer]:
        """What is to be written next, in pieces: control frames, and content up to `limit` bytes."""
        window = self._output.window.available
        pieces = self._output.take(limit, self._finish)
        if self._output.window.available != window:
            self._idle_frames = 0
        return pieces

    def _header_frames(
        self, stream_id: int, section: Sequence[tuple[str, str]], *, end_stream: bool
    ) -> bytes:
        block: bytes = self._encoder.encode(section, huffman=False)  # whose cost grows with the square
        return frames.headers_frames(
            stream_id, block, end_stream=end_stream, max_frame_size=self._output.frame_size
        )

    @abstractmethod
    def _finish(self, stream: Stream) -> bytes:
        """The frames that end what we say on a stream, all of whose content has been sent."""
