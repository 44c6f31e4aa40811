"""What a build says as events for programs: lines of JSON, in the form that docs/events.md describes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from buildctl.errors import BuildctlError, ExitCode, RPCError, SolveError
from buildctl.model.instant import format_instant
from buildctl.model.solve import SolveResult
from buildctl.model.status import SolveStatus, Vertex, VertexLog, VertexStatus, VertexWarning
from buildctl.model.transfer import Transfer
from buildctl.progress.ci.inert import inert_json

VERSION = 1
"""Of the form; it grows when a field changes its meaning or goes. New fields and events may come any time."""

_DIGEST = "containerimage.digest"


def encode_start(ref: str, now_ns: int) -> bytes:
    """The first event."""
    return _line("start", version=VERSION, ref=ref, time=_time(now_ns))


def encode_events(status: SolveStatus) -> Iterator[bytes]:
    """Those of one message."""
    yield from map(_step, status.vertexes)
    yield from map(_progress, status.statuses)
    yield from map(_log, status.logs)
    yield from map(_warning, status.warnings)


def encode_transfer(transfer: Transfer) -> bytes:
    """The end of a transfer of a local directory."""
    return _line("transfer", **_transfer(transfer))


def encode_dropped(events: int) -> bytes:
    """That so many events are missing here, because nobody has read those before them in time."""
    return _line("dropped", events=events)


def encode_success(
    result: SolveResult, *, began_ns: int, now_ns: int, exporter_response: Mapping[str, str]
) -> bytes:
    """The last event of a build that succeeded."""
    return _line(
        "result",
        **_end(result.ref, began_ns, now_ns),
        success=True,
        exit_code=ExitCode.OK,
        exporter_response=dict(exporter_response),
        digest=exporter_response.get(_DIGEST),
        transfers=[_transfer(transfer) for transfer in result.transfers],
    )


def encode_failure(
    error: BaseException,
    ref: str,
    *,
    canceled: bool,
    began_ns: int,
    now_ns: int,
    mask: Callable[[str], str] = str,
) -> bytes:
    """The last event of one that did not; `mask` hides secrets."""
    ours = error if isinstance(error, BuildctlError) else None
    code = error.code.camel if isinstance(error, SolveError | RPCError) else "Unknown"
    places = [
        {"file": excerpt.filename, "first_line": first, "last_line": max(first, last)}
        for excerpt in (error.excerpts if isinstance(error, SolveError) else ())
        for first, last in excerpt.ranges
    ]
    return _line(
        "result",
        **_end(ref, began_ns, now_ns),
        success=False,
        exit_code=ExitCode.ERROR if ours is None else ours.exit_code,
        error={
            "code": "Canceled" if canceled else code,
            "message": mask(str(error) or type(error).__name__),
            "hint": mask(ours.hint) if ours else "",
            "places": places,
        },
    )


def _end(ref: str, began_ns: int, now_ns: int) -> dict[str, Any]:
    return {
        "version": VERSION,
        "ref": ref,
        "time": _time(now_ns),
        "seconds": round((now_ns - began_ns) / 1e9, 3),
    }


def _step(vertex: Vertex) -> bytes:
    group = vertex.progress_group
    return _line(
        "step",
        step=vertex.digest,
        name=vertex.name,
        inputs=vertex.inputs,
        cached=vertex.cached,
        started=_time(vertex.started_ns),
        completed=_time(vertex.completed_ns),
        error=vertex.error,
        group=None if group is None else {"id": group.id, "name": group.name, "weak": group.weak},
    )


def _progress(counter: VertexStatus) -> bytes:
    return _line(
        "progress",
        step=counter.vertex,
        id=counter.id,
        name=counter.name,
        current=counter.current,
        total=counter.total,
        time=_time(counter.timestamp_ns),
        started=_time(counter.started_ns),
        completed=_time(counter.completed_ns),
    )


def _log(log: VertexLog) -> bytes:
    text: dict[str, str]
    try:
        text = {"text": log.data.decode()}
    except UnicodeDecodeError:  # another encoding, or a character in two pieces
        text = {"base64": b64encode(log.data).decode()}
    return _line("log", step=log.vertex, stream=log.stream, time=_time(log.timestamp_ns), **text)


def _warning(warning: VertexWarning) -> bytes:
    return _line(
        "warning",
        step=warning.vertex,
        level=warning.level,
        message=warning.short.decode(errors="replace"),
        detail=[line.decode(errors="replace") for line in warning.detail],
        url=warning.url,
        places=[
            {
                "file": warning.source_info.filename if warning.source_info else "",
                "first_line": span.start.line,
                "last_line": max(span.start.line, span.end.line),
            }
            for span in warning.ranges
        ],
    )


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {
        "name": transfer.name,
        "files_walked": transfer.files_walked,
        "files_requested": transfer.files_requested,
        "files_sent": transfer.files_sent,
        "bytes_sent": transfer.bytes_sent,
        "seconds": round(transfer.took, 3),
        "complete": transfer.complete,
        "unreadable": transfer.unreadable,
    }


def _line(event: str, **fields: object) -> bytes:
    line = json.dumps({"event": event, **fields}, separators=(",", ":")).encode("ascii") + b"\n"
    return inert_json(line)  # for it may be standard output that a CI service reads


def _time(instant_ns: int | None) -> str | None:
    if instant_ns is None:
        return None
    try:
        return format_instant(instant_ns)
    except OverflowError:  # a daemon's clock may say anything
        return None
