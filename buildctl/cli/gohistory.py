"""The build history as `--format` sees it: the reference's generated messages, their getters and JSON names.

Sources: BuildHistoryEvent and what it holds in api/services/control/control.proto; google.rpc.Status; Go's
documentation of generated protobuf code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from buildctl.model.history import BuildHistoryEvent, BuildHistoryEventType
from buildctl.template.gotime import SECOND, TIME, Time
from buildctl.template.sprint import sprint_verb
from buildctl.template.values import (
    BOOL,
    BYTES,
    INT32,
    INT64,
    STRING,
    STRING_MAP,
    Field,
    Function,
    GoType,
    Kind,
    Value,
    from_bytes,
    map_of,
    method,
    pointer_to,
    slice_of,
    zero,
)

_PACKAGE = "moby_buildkit_v1"


def build_history_event(event: BuildHistoryEvent) -> Value:
    """What `debug histories` and `prune-histories` give to their template."""
    return Value(_EVENT, event)


def _message(name: str, *fields: Field) -> GoType:
    """The pointer to a message, which is how Go holds every one of them."""
    pointer = pointer_to(GoType(name, Kind.STRUCT, fields=fields))
    pointer.methods = {
        "String": Function(lambda message: Value(STRING, _text(message)), results=(STRING,)),
        **{f"Get{field.name}": _getter(field) for field in fields},
    }
    return pointer


def _getter(field: Field) -> Function:
    """Reads the field; of a message that is not there, its zero."""

    def get(message: Value) -> Value:
        return zero(field.type) if message.is_nil else Value(field.type, field.read(message.data))

    return Function(get, results=(field.type,))


def _field(name: str, go_type: GoType, read: Callable[[Any], Any], proto: str = "") -> Field:
    """A field whose JSON name is its name in the .proto file; zeros are left out."""

    def or_nil(message: Any) -> Any:
        data = read(message)
        return None if go_type.kind in (Kind.SLICE, Kind.MAP) and not data else data

    return Field(name, go_type, or_nil, proto or name, omitempty=True)


def _text(message: Value) -> str:
    """The message in protobuf's text format, on one line."""
    target = message.target()
    return "<nil>" if target is None else "  ".join(_members(target))


def _members(message: Value) -> Iterator[str]:
    for field in message.type.fields:
        value = message.field(field)
        if not value.data:
            continue
        if value.kind is Kind.MAP:
            for key, element in value.entries():
                yield f"{field.json}:{{key:{_scalar(key)}  value:{_scalar(element)}}}"
        elif value.kind is Kind.SLICE and value.type is not BYTES:
            yield from (f"{field.json}:{_scalar(element)}" for element in value.elements())
        else:
            yield f"{field.json}:{_scalar(value)}"


def _scalar(value: Value) -> str:
    if value.kind is Kind.POINTER:
        return f"{{{_text(value)}}}"
    if value.type is BYTES:
        value = Value(STRING, from_bytes(value.data))
    return sprint_verb("q" if value.kind is Kind.STRING else "v", value)


def _type_name(number: int) -> str:
    known = number in set(BuildHistoryEventType)
    return BuildHistoryEventType(number).name if known else str(number)


_TIMESTAMP = _message(
    "timestamppb.Timestamp",
    _field("Seconds", INT64, lambda ns: ns // SECOND, "seconds"),
    _field("Nanos", INT32, lambda ns: ns % SECOND, "nanos"),
)
_TIMESTAMP.methods = {
    **_TIMESTAMP.methods,
    "AsTime": method(TIME, lambda ns: Time.from_unix_ns(ns or 0)),  # of none, the epoch
    "IsValid": method(BOOL, lambda ns: ns is not None),
}

_ANY = _message(
    "anypb.Any",
    _field("TypeUrl", STRING, lambda detail: detail.type_url, "type_url"),
    _field("Value", BYTES, lambda detail: detail.raw, "value"),
)

_STATUS = _message(
    "status.Status",
    _field("Code", INT32, lambda error: error.code, "code"),
    _field("Message", STRING, lambda error: error.message, "message"),
    _field("Details", slice_of(_ANY), lambda error: error.details, "details"),
)

_DESCRIPTOR = _message(
    f"{_PACKAGE}.Descriptor",
    _field("MediaType", STRING, lambda blob: blob.media_type, "media_type"),
    _field("Digest", STRING, lambda blob: blob.digest, "digest"),
    _field("Size", INT64, lambda blob: blob.size_bytes, "size"),
    _field("Annotations", STRING_MAP, lambda blob: blob.annotations, "annotations"),
)

_RESULT = _message(
    f"{_PACKAGE}.BuildResultInfo",
    _field("ResultDeprecated", _DESCRIPTOR, lambda result: result.result_deprecated),
    _field("Attestations", slice_of(_DESCRIPTOR), lambda result: result.attestations),
    _field("Results", map_of(INT64, _DESCRIPTOR), lambda result: result.results),
)

_EXPORTER = _message(
    f"{_PACKAGE}.Exporter",
    _field("Type", STRING, lambda exporter: exporter.type),
    _field("Attrs", STRING_MAP, lambda exporter: exporter.attrs),
)

_RECORD = _message(
    f"{_PACKAGE}.BuildHistoryRecord",
    _field("Ref", STRING, lambda record: record.ref),
    _field("Frontend", STRING, lambda record: record.frontend),
    _field("FrontendAttrs", STRING_MAP, lambda record: record.frontend_attrs),
    _field("Exporters", slice_of(_EXPORTER), lambda record: record.exporters),
    _field("Error", _STATUS, lambda record: record.error, "error"),
    _field("CreatedAt", _TIMESTAMP, lambda record: record.created_at_ns),
    _field("CompletedAt", _TIMESTAMP, lambda record: record.completed_at_ns),
    _field("Logs", _DESCRIPTOR, lambda record: record.logs, "logs"),
    _field("ExporterResponse", STRING_MAP, lambda record: record.exporter_response),
    _field("Result", _RESULT, lambda record: record.result),
    _field("Results", map_of(STRING, _RESULT), lambda record: record.results),
    _field("Generation", INT32, lambda record: record.generation),
    _field("Trace", _DESCRIPTOR, lambda record: record.trace, "trace"),
    _field("Pinned", BOOL, lambda record: record.pinned, "pinned"),
    _field("NumCachedSteps", INT32, lambda record: record.cached_steps, "numCachedSteps"),
    _field("NumTotalSteps", INT32, lambda record: record.total_steps, "numTotalSteps"),
    _field("NumCompletedSteps", INT32, lambda record: record.completed_steps, "numCompletedSteps"),
    _field("ExternalError", _DESCRIPTOR, lambda record: record.external_error, "externalError"),
    _field("NumWarnings", INT32, lambda record: record.warnings, "numWarnings"),
)

_TYPE = GoType(f"{_PACKAGE}.BuildHistoryEventType", Kind.INT)
_TYPE.methods = {"String": method(STRING, _type_name)}

_EVENT = _message(
    f"{_PACKAGE}.BuildHistoryEvent",
    _field("Type", _TYPE, lambda event: event.type, "type"),
    _field("Record", _RECORD, lambda event: event.record, "record"),
)
