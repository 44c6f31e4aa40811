"""A build record as JSON and back, as Go's encoding/json has the generated BuildHistoryRecord.

It is the form that `.dockerbuild` files hold, see `client.recordfile`. Member names are those of
api/services/control/control.proto; members that are zero are left out; instants are seconds and nanoseconds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from buildctl.client.convert.errors import error_detail
from buildctl.model.history import BuildError, BuildRecord, BuildResultInfo, Descriptor, ExporterRecord

_SECOND_NS = 1_000_000_000
T = TypeVar("T")
Object = Mapping[str, Any]


def record_to_json(record: BuildRecord) -> dict[str, Any]:
    """The record as an object for a JSON encoder."""
    fields = {
        "Ref": record.ref,
        "Frontend": record.frontend,
        "FrontendAttrs": dict(record.frontend_attrs) or None,
        "Exporters": [
            _without_zeros({"Type": one.type, "Attrs": dict(one.attrs) or None}) for one in record.exporters
        ],
        "error": _error_to_json(record.error),
        "CreatedAt": _instant_to_json(record.created_at_ns),
        "CompletedAt": _instant_to_json(record.completed_at_ns),
        "ExporterResponse": dict(record.exporter_response) or None,
        "Result": record.result and _result_to_json(record.result),
        "Results": {platform: _result_to_json(info) for platform, info in record.results.items()} or None,
        "pinned": record.pinned,
        "Generation": record.generation,
        "numCachedSteps": record.cached_steps,
        "numTotalSteps": record.total_steps,
        "numCompletedSteps": record.completed_steps,
        "numWarnings": record.warnings,
        "logs": _descriptor_to_json(record.logs),
        "trace": _descriptor_to_json(record.trace),
        "externalError": _descriptor_to_json(record.external_error),
    }
    return _without_zeros(fields)


def _descriptor_to_json(descriptor: Descriptor | None) -> dict[str, Any] | None:
    """A blob as a record names it."""
    if descriptor is None:
        return None
    return _without_zeros(
        {
            "media_type": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size_bytes,
            "annotations": dict(descriptor.annotations) or None,
        }
    )


def record_from_json(fields: Object) -> BuildRecord:
    """The record that an object says; unknown members are ignored. Raises `ValueError` in words."""
    return BuildRecord(
        ref=_typed(fields, "Ref", str, ""),
        frontend=_typed(fields, "Frontend", str, ""),
        frontend_attrs=_texts(fields, "FrontendAttrs"),
        exporters=tuple(
            ExporterRecord(_typed(one, "Type", str, ""), _texts(one, "Attrs"))
            for one in _objects(fields, "Exporters")
        ),
        error=_optional(fields, "error", _error_from_json),
        created_at_ns=_optional(fields, "CreatedAt", _instant_from_json),
        completed_at_ns=_optional(fields, "CompletedAt", _instant_from_json),
        exporter_response=_texts(fields, "ExporterResponse"),
        result=_optional(fields, "Result", _result_from_json),
        results={
            name: _result_from_json(_as_object(info, "Results"))
            for name, info in _typed(fields, "Results", dict, {}).items()
        },
        pinned=_typed(fields, "pinned", bool, False),
        generation=_typed(fields, "Generation", int, 0),
        cached_steps=_typed(fields, "numCachedSteps", int, 0),
        total_steps=_typed(fields, "numTotalSteps", int, 0),
        completed_steps=_typed(fields, "numCompletedSteps", int, 0),
        warnings=_typed(fields, "numWarnings", int, 0),
        logs=_optional(fields, "logs", _descriptor_from_json),
        trace=_optional(fields, "trace", _descriptor_from_json),
        external_error=_optional(fields, "externalError", _descriptor_from_json),
    )


def _error_to_json(error: BuildError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    details = [
        _without_zeros({"type_url": one.type_url, "value": base64.b64encode(one.raw).decode()})
        for one in error.details
    ]
    return _without_zeros({"code": error.code, "message": error.message, "details": details})


def _error_from_json(fields: Object) -> BuildError:
    try:
        details = tuple(
            error_detail(_typed(one, "type_url", str, ""), base64.b64decode(_typed(one, "value", str, "")))
            for one in _objects(fields, "details")
        )
    except binascii.Error:
        raise ValueError("value: not base64") from None
    return BuildError(_typed(fields, "code", int, 0), _typed(fields, "message", str, ""), details)


def _result_to_json(result: BuildResultInfo) -> dict[str, Any]:
    return _without_zeros(
        {
            "ResultDeprecated": _descriptor_to_json(result.result_deprecated),
            "Attestations": [_descriptor_to_json(one) for one in result.attestations],
            "Results": {str(index): _descriptor_to_json(one) for index, one in result.results.items()}
            or None,
        }
    )


def _result_from_json(fields: Object) -> BuildResultInfo:
    results = {}
    for index, one in _typed(fields, "Results", dict, {}).items():
        if not (index.isascii() and index.isdigit() and len(index) < 10):
            raise ValueError("Results: an index that is not a number")
        results[int(index)] = _descriptor_from_json(_as_object(one, "Results"))
    return BuildResultInfo(
        results=results,
        attestations=tuple(map(_descriptor_from_json, _objects(fields, "Attestations"))),
        result_deprecated=_optional(fields, "ResultDeprecated", _descriptor_from_json),
    )


def _descriptor_from_json(fields: Object) -> Descriptor:
    return Descriptor(
        _typed(fields, "media_type", str, ""),
        _typed(fields, "digest", str, ""),
        _typed(fields, "size", int, 0),
        _texts(fields, "annotations"),
    )


def _instant_to_json(instant_ns: int | None) -> dict[str, int] | None:
    if instant_ns is None:
        return None
    seconds, nanos = divmod(instant_ns, _SECOND_NS)
    return _without_zeros({"seconds": seconds, "nanos": nanos})


def _instant_from_json(fields: Object) -> int:
    return _typed(fields, "seconds", int, 0) * _SECOND_NS + _typed(fields, "nanos", int, 0)


def _without_zeros(fields: dict[str, Any]) -> dict[str, Any]:
    """Go's omitempty: what is zero or absent is left out; an empty message is not."""
    return {name: value for name, value in fields.items() if value not in (None, "", 0, [], False)}


def _typed(fields: Object, name: str, kind: type[T], absent: T) -> T:
    value = fields.get(name)
    if value is None:
        return absent
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{name}: not {_WORDS[kind]}")
    return value


_WORDS = {str: "a text", int: "a whole number", bool: "a boolean", dict: "an object", list: "a list"}


def _as_object(value: Any, name: str) -> Object:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: not an object")
    return value


def _objects(fields: Object, name: str) -> list[Object]:
    return [_as_object(one, name) for one in _typed(fields, name, list, [])]


def _optional(fields: Object, name: str, read: Callable[[Object], T]) -> T | None:
    value = fields.get(name)
    return None if value is None else read(_as_object(value, name))


def _texts(fields: Object, name: str) -> dict[str, str]:
    texts = _typed(fields, name, dict, {})
    if not all(isinstance(value, str) for value in texts.values()):
        raise ValueError(f"{name}: a value that is not a text")
    return texts
