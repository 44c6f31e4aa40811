"""The machine's voice: every message as a line of JSON, in the form Go's encoding/json gives.

Field names and what is omitted: client/graph.go; the build file of a warning is the protobuf struct.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from buildctl._pb import ops_pb2
from buildctl.model import gojson
from buildctl.model.instant import format_instant
from buildctl.model.status import (
    Position,
    SolveStatus,
    SourceInfo,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from buildctl.progress.ci.inert import inert_json

_Object = dict[str, Any]


class RawJSONRenderer:
    """Shows every message when it comes; what a terminal might obey, or a CI service where the stream is to
    be `inert`, is escaped there, which says the same."""

    replaces = False
    restore = b""

    def __init__(self, *, on_terminal: bool = False, inert: bool = False) -> None:
        self._on_terminal = on_terminal
        self._inert = inert

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        line = encode_status(status)
        if self._inert:
            line = inert_json(line)
        return _seen(line) if line and self._on_terminal else line

    def render(self, now_ns: int) -> bytes:
        return b""

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        return between


def encode_status(status: SolveStatus) -> bytes:
    """A message as a line; nothing if it has an instant that RFC 3339 cannot say."""
    try:
        fields = _filled(
            vertexes=[_vertex(vertex) for vertex in status.vertexes],
            statuses=[_counter(counter) for counter in status.statuses],
            logs=[_log(log) for log in status.logs],
            warnings=[_warning(warning) for warning in status.warnings],
        )
    except OverflowError:
        return b""
    return gojson.encode(fields) + b"\n"


def _seen(line: bytes) -> bytes:
    """The line with C1 controls, bidirectional and other characters that are not seen as JSON's escapes."""
    text = line.decode().removesuffix("\n")
    if not text.isprintable():
        text = "".join([one if one.isprintable() else _escape(one) for one in text])
    return text.encode() + b"\n"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else json.dumps(character)[1:-1]  # a pair of surrogates


def _vertex(vertex: Vertex) -> _Object:
    group = vertex.progress_group
    return _filled(
        digest=vertex.digest,
        inputs=vertex.inputs,
        name=vertex.name,
        started=_time(vertex.started_ns),
        completed=_time(vertex.completed_ns),
        cached=vertex.cached,
        error=vertex.error,
    ) | ({} if group is None else {"progressGroup": _filled(id=group.id, name=group.name, weak=group.weak)})


def _counter(counter: VertexStatus) -> _Object:
    return (
        {"id": counter.id}
        | _filled(vertex=counter.vertex, name=counter.name, total=counter.total)
        | {"current": counter.current, "timestamp": _time(counter.timestamp_ns)}
        | _filled(started=_time(counter.started_ns), completed=_time(counter.completed_ns))
    )


def _log(log: VertexLog) -> _Object:
    return _filled(vertex=log.vertex, stream=log.stream) | {
        "data": _base64(log.data),
        "timestamp": _time(log.timestamp_ns),
    }


def _warning(warning: VertexWarning) -> _Object:
    fields = _filled(
        vertex=warning.vertex,
        level=warning.level,
        short=_base64(warning.short),
        detail=[_base64(line) for line in warning.detail],
        url=warning.url,
    )
    if warning.source_info is not None:
        fields["sourceInfo"] = _source_info(warning.source_info)
    return fields | _filled(
        range=[{"start": _position(span.start), "end": _position(span.end)} for span in warning.ranges]
    )


def _source_info(info: SourceInfo) -> _Object:
    fields = _filled(filename=info.filename, data=_base64(info.data))
    if info.definition:
        fields["definition"] = _plain(ops_pb2.Definition.FromString(info.definition))
    return fields | _filled(language=info.language)


def _position(position: Position) -> _Object:
    return _filled(line=position.line, character=position.character)


def _filled(**fields: object) -> _Object:
    """What Go's `omitempty` leaves."""
    return {name: value for name, value in fields.items() if value}


def _plain(value: object) -> object:
    """A protobuf value as encoding/json writes its generated struct, which is not protobuf's own JSON."""
    if isinstance(value, Message):
        return {field.name: _plain(content) for field, content in value.ListFields()}
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, bytes):
        return _base64(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _time(instant_ns: int | None) -> str | None:
    return None if instant_ns is None else format_instant(instant_ns)
