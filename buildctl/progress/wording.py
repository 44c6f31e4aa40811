"""What plain text says of a counter and of a step's end: the reference's words."""

from __future__ import annotations

from buildctl.model.bytesize import format_bytes
from buildctl.model.status import VertexStatus
from buildctl.progress.intervals import seconds
from buildctl.progress.trace import VertexTrace


def ending(vertex: VertexTrace) -> str:
    """How a completed vertex ended: `DONE 1.2s`, `CACHED`, `CANCELED` or `ERROR: why`."""
    if vertex.canceled:
        return "CANCELED"
    if vertex.error:
        return f"ERROR: {vertex.error}"
    if vertex.cached:
        return "CACHED"
    elapsed = 0.0
    for start, stop in vertex.intervals:
        elapsed += 0.0 if stop is None else seconds(stop - start)
    return f"DONE {elapsed:.1f}s"


def amount(counter: VertexStatus) -> str:
    """Bytes, time and ` done` of a counter, each if there is something to say."""
    text = ""
    if counter.total:
        text = f" {format_bytes(counter.current)} / {format_bytes(counter.total)}"
    elif counter.current:
        text = f" {format_bytes(counter.current)}"
    if counter.started_ns is not None:
        end_ns = counter.timestamp_ns if counter.completed_ns is None else counter.completed_ns
        if (elapsed := seconds(end_ns - counter.started_ns)) > 0.01:
            text += f" {elapsed:.1f}s"
    return text if counter.completed_ns is None else f"{text} done"
