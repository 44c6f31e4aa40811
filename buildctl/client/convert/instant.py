"""Timestamps of messages as nanoseconds since the Unix epoch."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

_SECOND_NS = 1_000_000_000


def instant(timestamp: Timestamp) -> int | None:
    """Nanoseconds; None for the epoch itself, which early daemons send for none."""
    return timestamp.seconds * _SECOND_NS + timestamp.nanos or None
