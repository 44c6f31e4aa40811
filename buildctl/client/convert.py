"""Between protobuf messages and the model's values: the only module that knows both.

Timestamps become nanoseconds; one that is absent, or zero as early daemons send it, becomes None.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from buildctl._pb import control_pb2, ops_pb2, status_pb2, worker_pb2
from buildctl.errors import ErrorDetail, UsageError
from buildctl.model.history import (
    BuildError,
    BuildHistoryEvent,
    BuildRecord,
    BuildResultInfo,
    Descriptor,
    ExporterRecord,
)
from buildctl.model.quote import quote
from buildctl.model.records import (
    BuildkitVersion,
    CDIDevice,
    GCPolicy,
    Platform,
    PruneOpt,
    UsageRecord,
    WorkerRecord,
)
from buildctl.model.status import (
    Position,
    ProgressGroup,
    Range,
    SolveStatus,
    SourceInfo,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)

_SECOND_NS = 1_000_000_000


@contextlib.contextmanager
def valid_text() -> Iterator[None]:
    """Raise `UsageError` for text that no message can carry: of bytes that are not UTF-8."""
    try:
        yield
    except UnicodeEncodeError as error:
        text = quote(str(error.object))
        raise UsageError(f"{text} is not valid UTF-8", hint="the daemon takes UTF-8 only") from None


def solve_status(message: control_pb2.StatusResponse) -> SolveStatus:
    """One message of the Status stream."""
    return SolveStatus(
        vertexes=tuple(map(_vertex, message.vertexes)),
        statuses=tuple(map(_vertex_status, message.statuses)),
        logs=tuple(map(_vertex_log, message.logs)),
        warnings=tuple(map(_vertex_warning, message.warnings)),
    )


def usage_record(message: control_pb2.UsageRecord) -> UsageRecord:
    """One entry of the cache. The single `Parent` of early daemons is left out, as the reference does."""
    has = message.HasField
    return UsageRecord(
        id=message.ID,
        mutable=message.Mutable,
        in_use=message.InUse,
        size_bytes=message.Size,
        parents=tuple(message.Parents),
        created_at_ns=_instant(message.CreatedAt) if has("CreatedAt") else None,
        last_used_at_ns=_instant(message.LastUsedAt) if has("LastUsedAt") else None,
        usage_count=message.UsageCount,
        description=message.Description,
        record_type=message.RecordType,
        shared=message.Shared,
    )


def usage_records(messages: Iterable[control_pb2.UsageRecord]) -> list[UsageRecord]:
    """The entries of the cache, smallest first."""
    return sorted(map(usage_record, messages), key=lambda record: (record.size_bytes, record.id))


@valid_text()
def prune_request(opt: PruneOpt) -> control_pb2.PruneRequest:
    return control_pb2.PruneRequest(
        filter=opt.filters,
        all=opt.all,
        keepDuration=opt.keep_duration_ns,
        reservedSpace=opt.reserved_space_bytes,
        maxUsedSpace=opt.max_used_space_bytes,
        minFreeSpace=opt.min_free_space_bytes,
    )


def worker_record(message: worker_pb2.WorkerRecord) -> WorkerRecord:
    return WorkerRecord(
        id=message.ID,
        labels=dict(message.Labels),
        platforms=tuple(map(_platform, message.platforms)),
        gc_policies=tuple(map(_gc_policy, message.GCPolicy)),
        buildkit_version=buildkit_version(message.BuildkitVersion)
        if message.HasField("BuildkitVersion")
        else None,
        cdi_devices=tuple(map(_cdi_device, message.CDIDevices)),
    )


def buildkit_version(message: worker_pb2.BuildkitVersion) -> BuildkitVersion:
    return BuildkitVersion(
        package=message.package,
        version=message.version,
        revision=message.revision,
        dockerfile_version=message.dockerfileVersion,
    )


def history_event(message: control_pb2.BuildHistoryEvent) -> BuildHistoryEvent:
    """One message of the build history."""
    record = _build_record(message.record) if message.HasField("record") else None
    return BuildHistoryEvent(message.type, record)


def _build_record(message: control_pb2.BuildHistoryRecord) -> BuildRecord:
    has = message.HasField
    return BuildRecord(
        ref=message.Ref,
        frontend=message.Frontend,
        frontend_attrs=dict(message.FrontendAttrs),
        exporters=tuple(ExporterRecord(one.Type, dict(one.Attrs)) for one in message.Exporters),
        error=_build_error(message.error) if has("error") else None,
        created_at_ns=_instant(message.CreatedAt) if has("CreatedAt") else None,
        completed_at_ns=_instant(message.CompletedAt) if has("CompletedAt") else None,
        logs=_descriptor(message.logs) if has("logs") else None,
        exporter_response=dict(message.ExporterResponse),
        result=_result_info(message.Result) if has("Result") else None,
        results={platform: _result_info(info) for platform, info in sorted(message.Results.items())},
        generation=message.Generation,
        trace=_descriptor(message.trace) if has("trace") else None,
        pinned=message.pinned,
        cached_steps=message.numCachedSteps,
        total_steps=message.numTotalSteps,
        completed_steps=message.numCompletedSteps,
        external_error=_descriptor(message.externalError) if has("externalError") else None,
        warnings=message.numWarnings,
    )


def _build_error(message: status_pb2.Status) -> BuildError:
    details = tuple(_error_detail(detail.type_url, detail.value) for detail in message.details)
    return BuildError(message.code, message.message, details)


def _descriptor(message: control_pb2.Descriptor) -> Descriptor:
    return Descriptor(message.media_type, message.digest, message.size, dict(message.annotations))


def _result_info(message: control_pb2.BuildResultInfo) -> BuildResultInfo:
    return BuildResultInfo(
        results={index: _descriptor(result) for index, result in sorted(message.Results.items())},
        attestations=tuple(map(_descriptor, message.Attestations)),
        result_deprecated=_descriptor(message.ResultDeprecated)
        if message.HasField("ResultDeprecated")
        else None,
    )


def error_details(status: bytes) -> tuple[ErrorDetail, ...]:
    """The details of a serialized google.rpc.Status, in order; none where it cannot be read.

    BuildKit's carry JSON; a value that is not a JSON object is kept in `raw` alone.
    """
    try:
        message = status_pb2.Status.FromString(status)
    except DecodeError:
        return ()
    return tuple(_error_detail(detail.type_url, detail.value) for detail in message.details)


def error_status(code: int, message: str, details: Iterable[ErrorDetail]) -> status_pb2.Status:
    """A google.rpc.Status with details in the order given."""
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add(type_url=detail.type_url, value=detail.raw)
    return status


def _error_detail(type_url: str, raw: bytes) -> ErrorDetail:
    name = type_url.removeprefix("github.com/moby/buildkit/").removesuffix("+json")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    return ErrorDetail(name, value if isinstance(value, dict) else {}, type_url, raw)


def _instant(timestamp: Timestamp) -> int | None:
    return timestamp.seconds * _SECOND_NS + timestamp.nanos or None


def _vertex(message: control_pb2.Vertex) -> Vertex:
    has = message.HasField  # reading an absent message field would create it, which is slow
    return Vertex(
        message.digest,
        message.name,
        tuple(message.inputs),
        message.cached,
        _instant(message.started) if has("started") else None,
        _instant(message.completed) if has("completed") else None,
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
        (_instant(message.timestamp) or 0) if has("timestamp") else 0,
        _instant(message.started) if has("started") else None,
        _instant(message.completed) if has("completed") else None,
    )


def _vertex_log(message: control_pb2.VertexLog) -> VertexLog:
    return VertexLog(message.vertex, message.msg, message.stream, _instant(message.timestamp) or 0)


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


def _platform(message: ops_pb2.Platform) -> Platform:
    return Platform(
        architecture=message.Architecture,
        os=message.OS,
        variant=message.Variant,
        os_version=message.OSVersion,
        os_features=tuple(message.OSFeatures),
    )


def _gc_policy(message: worker_pb2.GCPolicy) -> GCPolicy:
    return GCPolicy(
        all=message.all,
        filters=tuple(message.filters),
        keep_duration_ns=message.keepDuration,
        reserved_space_bytes=message.reservedSpace,
        max_used_space_bytes=message.maxUsedSpace,
        min_free_space_bytes=message.minFreeSpace,
    )


def _cdi_device(message: worker_pb2.CDIDevice) -> CDIDevice:
    return CDIDevice(
        name=message.Name,
        auto_allow=message.AutoAllow,
        annotations=dict(message.Annotations),
        on_demand=message.OnDemand,
    )
