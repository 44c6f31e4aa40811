"""A Go value as encoding/json writes it: compact, HTML not escaped, as `{{json .}}` needs it."""

from __future__ import annotations

import base64
import json
import math

from buildctl.model.gojson import encode
from buildctl.template.numerals import float_digits
from buildctl.template.values import STRING, UINT8, Field, Function, Kind, Value, text


def to_json(value: Value | None) -> str:
    """The value's JSON. Raises `ValueError` for one that has none, such as NaN."""
    if value is None:
        return "null"
    if value.type.to_json is not None:
        return _string(value.type.to_json(value.data))
    match value.kind:
        case Kind.BOOL:
            return "true" if value.data else "false"
        case Kind.INT | Kind.UINT:
            return str(value.data)
        case Kind.FLOAT:
            return _float(value.data)
        case Kind.STRING:
            return _string(value.data)
        case Kind.POINTER | Kind.INTERFACE:
            return to_json(value.target())
        case Kind.STRUCT:
            fields = ((field, value.field(field)) for field in value.type.fields if field.exported)
            shown = (
                f"{_string(_name(f))}:{to_json(v)}" for f, v in fields if not (f.omitempty and _is_empty(v))
            )
            return f"{{{','.join(shown)}}}"
    if value.is_nil:
        return "null"
    match value.kind:
        case Kind.SLICE if value.type.elem is UINT8:
            return json.dumps(base64.b64encode(bytes(value.data)).decode())
        case Kind.SLICE:
            return f"[{','.join(map(to_json, value.elements()))}]"
        case Kind.MAP:
            members = {_key(key): to_json(element) for key, element in value.entries()}
            return f"{{{','.join(f'{key}:{members[key]}' for key in sorted(members))}}}"
    raise ValueError(f"json: unsupported type: {value.type}")


def _name(field: Field) -> str:
    return field.json or field.name


def _key(value: Value) -> str:
    return _string(value.data if value.kind is Kind.STRING else str(value.data))


def _string(data: str) -> str:
    return encode(data, escape_html=False).decode()


def _is_empty(value: Value) -> bool:
    """What `omitempty` leaves out: zeros, nils, and whatever has a length of none."""
    return value.kind is not Kind.STRUCT and not value.data


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
