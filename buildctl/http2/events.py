"""What the peer did: the events of `Connection.receive_data`."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from buildctl.http2.frames import Buffer


class RequestReceived(NamedTuple):
    """A request's header section; `fields` are in order and without pseudo-header fields."""

    stream_id: int
    method: str
    path: str
    fields: tuple[tuple[str, str], ...]
    end_stream: bool


class ResponseReceived(NamedTuple):
    """The header section of the answer to a request; informational ones are not reported."""

    stream_id: int
    status: int
    fields: tuple[tuple[str, str], ...]
    end_stream: bool


class TrailersReceived(NamedTuple):
    """The fields that end a response."""

    stream_id: int
    fields: tuple[tuple[str, str], ...]


class DataReceived(NamedTuple):
    """Content, or its end (of a request, after trailers too).

    `data` is a view that is good until the next call of `receive_data`. Its bytes count against the stream's
    window until the owner acknowledges them.
    """

    stream_id: int
    data: Buffer
    end_stream: bool


class StreamReset(NamedTuple):
    """A stream is gone: the peer reset it, or it was reset because the peer broke a rule (see `reason`)."""

    stream_id: int
    code: int
    reason: str


class GoAway(NamedTuple):
    """The peer takes no more streams, and none above `last_stream_id`; the others go on."""

    last_stream_id: int
    code: int
    debug: str


Event: TypeAlias = RequestReceived | ResponseReceived | DataReceived | TrailersReceived | StreamReset | GoAway
