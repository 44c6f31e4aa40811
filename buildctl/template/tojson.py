"""A Go value as encoding/json writes it: compact, HTML not escaped, as `{{json .}}` needs it."""

from __future__ import annotations

import base64
import functools
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from buildctl.model.gojson import encode
from buildctl.template.numerals import float_digits
from buildctl.template.values import STRING, UINT8, Field, Function, GoType, Kind, Value, text

Encoder: TypeAlias = Callable[[Any], str]

_PLAIN = json.JSONEncoder(ensure_ascii=False)


def to_json(value: Value | None) -> str:
    """The value's JSON. Raises `ValueError` for one that has none, such as NaN."""
    return "null" if value is None else _encoder(value.type)(value.data)


@functools.cache
def _encoder(go_type: GoType) -> Encoder:
    """What writes the data of a type.

    Made once for each type: of a list of 20,000 records, asking every value for its type took ten times as
    long as writing them. What a type points at is looked up when it is written: it may be the type itself.
    """
    if (marshal := go_type.to_json) is not None:
        return lambda data: _string(marshal(data))
    match go_type.kind:
        case Kind.BOOL:
            return lambda data: "true" if data else "false"
        case Kind.INT | Kind.UINT:
            return str
        case Kind.FLOAT:
            return _float
        case Kind.STRING:
            return _string
        case Kind.INTERFACE:
            return to_json
        case Kind.STRUCT:
            return _struct_encoder(go_type.fields)
    encode = _nillable_encoder(go_type, go_type.elem)
    return lambda data: "null" if data is None else encode(data)


def _struct_encoder(fields: Sequence[Field]) -> Encoder:
    members = [
        (f"{_string(field.json or field.name)}:", field.read, _encoder(field.type), _may_be_left_out(field))
        for field in fields
        if field.exported
    ]

    def encode(data: Any) -> str:
        shown = []
        for name, read, encode_field, may_be_left_out in members:
            value = read(data)
            if value or not may_be_left_out:
                shown.append(name + encode_field(value))
        return f"{{{','.join(shown)}}}"

    return encode


def _may_be_left_out(field: Field) -> bool:
    """`omitempty` leaves out zeros, nils, and whatever has a length of none, but no struct."""
    return field.omitempty and field.type.kind is not Kind.STRUCT


def _nillable_encoder(go_type: GoType, elem: GoType | None) -> Encoder:
    """What writes data that is not nil."""

    def encode_slice(data: Any) -> str:
        assert elem is not None
        return f"[{','.join(map(_encoder(elem), data))}]"

    def encode_map(data: Any) -> str:
        assert elem is not None
        encode = _encoder(elem)
        members = {_key(key.data): encode(value.data) for key, value in Value(go_type, data).entries()}
        return f"{{{','.join(f'{key}:{members[key]}' for key in sorted(members))}}}"

    def refuse(data: Any) -> str:
        raise ValueError(f"json: unsupported type: {go_type}")

    match go_type.kind:
        case Kind.POINTER if elem is not None:
            return lambda data: _encoder(elem)(data)
        case Kind.SLICE if elem is UINT8:
            return lambda data: _string(base64.b64encode(bytes(data)).decode())
        case Kind.SLICE:
            return encode_slice
        case Kind.MAP:
            return encode_map
    return refuse


def _key(data: Any) -> str:
    return _string(data if isinstance(data, str) else str(data))


def _string(data: str) -> str:
    written = _PLAIN.encode(data)
    return written if written.isascii() else encode(data, escape_html=False).decode()


def _float(number: float) -> str:
    """Without an exponent from 1e-6 to 1e21, as JavaScript writes numbers."""
    if not math.isfinite(number):
        raise ValueError(f"json: unsupported value: {number}")
    size = abs(number)
    sign = "-" if math.copysign(1, number) < 0 else ""
    if size == 0 or 1e-6 <= size < 1e21:
        return sign + float_digits(size, "f", None)
    return sign + float_digits(size, "e", None).replace("e-0", "e-")


def _json(value: Value | None) -> Value:
    try:
        return text(to_json(value))
    except ValueError:
        return text("")  # the reference does not look at the encoder's error either


JSON = Function(_json, (None,), results=(STRING,))
"""The template function `json`."""
