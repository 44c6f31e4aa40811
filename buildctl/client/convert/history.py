"""Records of builds."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2, status_pb2
from buildctl.client.convert.errors import error_detail
from buildctl.client.convert.instant import instant
from buildctl.errors import ProtocolError
from buildctl.model.history import (
    BuildError,
    BuildHistoryEvent,
    BuildRecord,
    BuildResultInfo,
    Descriptor,
    ExporterRecord,
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
        created_at_ns=instant(message.CreatedAt) if has("CreatedAt") else None,
        completed_at_ns=instant(message.CompletedAt) if has("CompletedAt") else None,
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
    details = tuple(error_detail(detail.type_url, detail.value) for detail in message.details)
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


def parse_build_error(data: bytes) -> BuildError:
    """The error in a blob of a record (`BuildRecord.external_error`). Raises `ProtocolError`."""
    try:
        return _build_error(status_pb2.Status.FromString(data))
    except DecodeError as error:
        raise ProtocolError(f"the error that the daemon keeps of the build cannot be read: {error}") from None
