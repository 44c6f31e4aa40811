"""What the peer did, as its server sees it: the events of `Connection.receive_data`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from buildctl.http2.frames import Buffer


@dataclass(slots=True)
class RequestReceived:
    """A request's header section; `fields` are in order and without pseudo-header fields."""

    stream_id: int
    method: str
    path: str
    fields: tuple[tuple[str, str], ...]
    end_stream: bool


@dataclass(slots=True)
class DataReceived:
    """Content, or its end (after trailers too).

    `data` is a view that is good until the next call of `receive_data`. Its bytes count against the stream's
    window until the owner acknowledges them.
    """

    stream_id: int
    data: Buffer
    end_stream: bool


@dataclass(slots=True)
class StreamReset:
    """A stream is gone: the peer reset it, or it was reset because the peer broke a rule (see `reason`)."""

    stream_id: int
    code: int
    reason: str


@dataclass(slots=True)
class GoAway:
    """The peer will open no more streams; those that are open go on."""

    code: int
    debug: str


Event: TypeAlias = RequestReceived | DataReceived | StreamReset | GoAway
