"""`--source-policy-file`: rules on sources, from JSON as Go reads it into the message's struct.

Names are found in any case, unknown ones ignored, enums given by name or number. Sources: sourcepolicy/pb,
util/gogo/proto/enum.go, Go's documentation of json.Unmarshal.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from buildctl._pb import sourcepolicy_pb2
from buildctl.cli.flags.json_syntax import check_json
from buildctl.cli.flags.scalar import parse_int
from buildctl.errors import UsageError
from buildctl.model.gojson import encode
from buildctl.model.quote import quote

_PACKAGE = "moby_buildkit_v1_sourcepolicy"


class _Number(str):
    """A number as it is written."""


def parse_source_policy(data: bytes) -> bytes:
    """A serialized sourcepolicy.Policy. Raises `UsageError` in Go's words."""
    check_json(data)
    try:
        value = json.loads(data.decode(errors="replace"), parse_int=_Number, parse_float=_Number)
    except RecursionError:
        raise UsageError("exceeded max depth") from None
    policy = sourcepolicy_pb2.Policy()
    if value is not None:
        if not isinstance(value, dict):
            raise UsageError(
                f"json: cannot unmarshal {_kind(value)} into Go value of type {_PACKAGE}.Policy",
                hint='a policy is an object: {"rules": [{"action": "DENY", "selector": {...}}]}',
            )
        _fill(policy, value, "")
    return policy.SerializeToString()


def _fill(message: Message, members: dict[str, Any], path: str) -> None:
    fields = {field.name.lower(): field for field in message.DESCRIPTOR.fields}
    for name, value in members.items():
        field = fields.get(name.lower())
        if field is not None:
            _set(message, field, value, path + field.name)


def _set(message: Message, field: Any, value: Any, path: str) -> None:
    if field.enum_type is not None:
        setattr(message, field.name, _enum(field.enum_type, value))
        return
    if value is None:
        return
    if field.message_type is None:
        setattr(message, field.name, _plain(message, field, value, path))
    elif field.message_type.GetOptions().map_entry:
        target = getattr(message, field.name)
        if not isinstance(value, dict):
            raise _mismatch(message, value, path, "map[string]string")
        for key, item in value.items():
            if not isinstance(item, str | None) or isinstance(item, _Number):
                raise _mismatch(message, item, path, "string")
            target[_text(key)] = _text(item or "")
    elif field.is_repeated:
        go_type = f"{_PACKAGE}.{field.message_type.name}"
        if not isinstance(value, list):
            raise _mismatch(message, value, path, f"[]*{go_type}")
        for item in value:
            if not isinstance(item, dict | None):
                raise _mismatch(message, item, path, go_type)
            _fill(getattr(message, field.name).add(), item or {}, path + ".")
    else:
        if not isinstance(value, dict):
            raise _mismatch(message, value, path, f"{_PACKAGE}.{field.message_type.name}")
        target = getattr(message, field.name)
        target.SetInParent()
        _fill(target, value, path + ".")


def _plain(message: Message, field: Any, value: Any, path: str) -> str | int:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        if not isinstance(value, str) or isinstance(value, _Number):
            raise _mismatch(message, value, path, "string")
        return _text(value)
    if not isinstance(value, _Number):
        raise _mismatch(message, value, path, "int64")
    try:
        return parse_int(value)
    except UsageError:
        raise _mismatch(message, value, path, "int64", shown=f"number {value}") from None


def _enum(enum: Any, value: Any) -> int:
    initial = enum.values_by_number[0].name  # the reference names the enum by the value it has
    if value is None:
        return 0
    if isinstance(value, str) and not isinstance(value, _Number):
        if value not in enum.values_by_name:
            raise UsageError(
                f"unrecognized enum {initial} value {quote(value)}",
                hint=f"known are {', '.join(enum.values_by_name)}",
            )
        return int(enum.values_by_name[value].number)
    try:
        if not isinstance(value, _Number):
            raise UsageError("not a number")
        number = parse_int(value)
    except UsageError:
        shown = value if isinstance(value, _Number) else encode(value).decode()
        raise UsageError(f"cannot unmarshal `{shown}` into enum {initial}") from None
    if number not in enum.values_by_number:
        raise UsageError(f"invalid {enum.name} value: {number}")
    return number


def _mismatch(message: Message, value: Any, path: str, go_type: str, *, shown: str = "") -> UsageError:
    kind = shown or _kind(value)
    struct = message.DESCRIPTOR.name
    return UsageError(f"json: cannot unmarshal {kind} into Go struct field {struct}.{path} of type {go_type}")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case _Number():
            return "number"
        case str():
            return "string"
        case dict():
            return "object"
    return "array"


def _text(text: str) -> str:
    """The text without halves of surrogate pairs, which no message can carry; Go replaces them too."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
