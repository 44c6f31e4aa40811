"""What a build says: the messages of its Status stream."""

from __future__ import annotations

from buildctl._pb import control_pb2, ops_pb2
from buildctl.client.convert.instant import instant
from buildctl.client.convert.logs import SerializedLogs
from buildctl.model.status import (
    Position,
    ProgressGroup,
    Range,
    SolveStatus,
    SourceInfo,
    Vertex,
    VertexStatus,
    VertexWarning,
)


def solve_status(message: control_pb2.StatusEnvelope) -> SolveStatus:
    """One message of the Status stream."""
    return SolveStatus(
        vertexes=tuple(map(_vertex, message.vertexes)),
        statuses=tuple(map(_vertex_status, message.statuses)),
        logs=SerializedLogs(list(message.logs)) if message.logs else (),
        warnings=tuple(map(_vertex_warning, message.warnings)),
    )


def _vertex(message: control_pb2.Vertex) -> Vertex:
    has = message.HasField  # reading an absent message field would create it, which is slow
    return Vertex(
        message.digest,
        message.name,
        tuple(message.inputs),
        message.cached,
        instant(message.started) if has("started") else None,
        instant(message.completed) if has("completed") else None,
        message.error,
        _progress_group(message.progressGroup) if has("progressGroup") else None,
    )


def _progress_group(message: ops_pb2.ProgressGroup) -> ProgressGroup:
    return ProgressGroup(message.id, message.name, message.weak)


def _vertex_status(message: control_pb2.VertexStatus) -> VertexStatus:
    has = message.HasField
    return VertexStatus(
        message.ID,
        message.vertex,
        message.name,
        message.current,
        message.total,
        (instant(message.timestamp) or 0) if has("timestamp") else 0,
        instant(message.started) if has("started") else None,
        instant(message.completed) if has("completed") else None,
    )


def _vertex_warning(message: control_pb2.VertexWarning) -> VertexWarning:
    return VertexWarning(
        vertex=message.vertex,
        short=message.short,
        level=message.level,
        detail=tuple(message.detail),
        url=message.url,
        source_info=_source_info(message.info) if message.HasField("info") else None,
        ranges=tuple(map(_range, message.ranges)),
    )


def _source_info(message: ops_pb2.SourceInfo) -> SourceInfo:
    definition = message.definition.SerializeToString() if message.HasField("definition") else b""
    return SourceInfo(message.filename, message.data, message.language, definition)


def _range(message: ops_pb2.Range) -> Range:
    start, end = message.start, message.end
    return Range(Position(start.line, start.character), Position(end.line, end.character))
