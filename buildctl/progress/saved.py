"""A saved Status stream read back: what `--progress=rawjson` printed, or a file of `--trace`."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar

from buildctl.errors import BuildctlError
from buildctl.model.instant import parse_instant
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

LINE_LIMIT = 64 << 20
"""Bytes of a line at most. A message of a daemon has at most 16 MiB, which base64 makes a third longer."""

T = TypeVar("T")
_Object = Mapping[str, Any]


class SavedStreamError(BuildctlError):
    """A saved stream that cannot be read; the text says which line and what is wrong with it."""


def read_saved(file: BinaryIO, name: str) -> Iterator[SolveStatus]:
    """The messages in a file, which errors call `name`.

    Lines that are no JSON objects are passed over: standard error, where rawjson usually comes from, has
    notices and errors too. A file without any message is an error all the same.
    Raises `SavedStreamError` and `OSError`.
    """
    number = messages = 0
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise SavedStreamError(f"{name}: line {number}: longer than {LINE_LIMIT >> 20} MiB")
        if not line.startswith(b"{"):
            continue
        try:
            status = decode_status(line)
        except ValueError as error:
            raise SavedStreamError(
                f"{name}: line {number}: {error}",
                hint="a line of this form is printed by --progress=rawjson and written by --trace",
            ) from None
        messages += 1
        yield status
    if not messages:
        raise SavedStreamError(
            f"{name}: no message of a build in {number} line{'' if number == 1 else 's'}",
            hint="save a build with --trace FILE, or with --progress=rawjson 2> FILE",
        )


def decode_status(line: bytes) -> SolveStatus:
    """The message that a line says; members that are not known are ignored. Raises `ValueError` in words."""
    try:
        fields = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg.lower()} at column {error.colno}") from None
    except ValueError:
        raise ValueError("a number with too many digits") from None
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    return SolveStatus(
        _each(fields, "vertexes", _vertex),
        _each(fields, "statuses", _counter),
        _each(fields, "logs", _log),
        _each(fields, "warnings", _warning),
    )


def _vertex(fields: _Object) -> Vertex:
    return Vertex(
        _text(fields, "digest"),
        _text(fields, "name"),
        tuple([_string(item, "inputs") for item in _list(fields, "inputs")]),
        _boolean(fields, "cached"),
        _instant(fields, "started"),
        _instant(fields, "completed"),
        _text(fields, "error"),
        _optional(fields, "progressGroup", _group),
    )


def _group(fields: _Object) -> ProgressGroup:
    return ProgressGroup(_text(fields, "id"), _text(fields, "name"), _boolean(fields, "weak"))


def _counter(fields: _Object) -> VertexStatus:
    return VertexStatus(
        _text(fields, "id"),
        _text(fields, "vertex"),
        _text(fields, "name"),
        _integer(fields, "current"),
        _integer(fields, "total"),
        _instant(fields, "timestamp") or 0,
        _instant(fields, "started"),
        _instant(fields, "completed"),
    )


def _log(fields: _Object) -> VertexLog:
    return VertexLog(
        _text(fields, "vertex"),
        _data(fields, "data"),
        _integer(fields, "stream"),
        _instant(fields, "timestamp") or 0,
    )


def _warning(fields: _Object) -> VertexWarning:
    return VertexWarning(
        _text(fields, "vertex"),
        _data(fields, "short"),
        _integer(fields, "level"),
        tuple(_bytes(line, "detail") for line in _list(fields, "detail")),
        _text(fields, "url"),
        _optional(fields, "sourceInfo", _source_info),
        _each(fields, "range", _range),
    )


def _source_info(fields: _Object) -> SourceInfo:
    # Not the LLB definition: no display shows it, and Go's form of the protobuf struct is no format.
    return SourceInfo(_text(fields, "filename"), _data(fields, "data"), _text(fields, "language"))


def _range(fields: _Object) -> Range:
    return Range(_position(fields, "start"), _position(fields, "end"))


def _position(fields: _Object, key: str) -> Position:
    position = _object(fields.get(key, {}), key)
    return Position(_integer(position, "line"), _integer(position, "character"))


def _each(fields: _Object, key: str, read: Callable[[_Object], T]) -> tuple[T, ...]:
    return tuple([read(_object(item, key)) for item in _list(fields, key)])


def _optional(fields: _Object, key: str, read: Callable[[_Object], T]) -> T | None:
    value = fields.get(key)
    return None if value is None else read(_object(value, key))


def _object(value: object, key: str) -> _Object:
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not made of objects")
    return value


def _list(fields: _Object, key: str) -> list[object]:
    value = fields.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")
    return value


def _text(fields: _Object, key: str) -> str:
    return _string(fields.get(key, ""), key)


def _string(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a string")
    return value


def _boolean(fields: _Object, key: str) -> bool:
    value = fields.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is neither true nor false")
    return value


def _integer(fields: _Object, key: str) -> int:
    value = fields.get(key, 0)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError(f"{key} is not an integer of 64 bits")
    return value


def _instant(fields: _Object, key: str) -> int | None:
    value = fields.get(key)
    if value is None:
        return None
    try:
        return parse_instant(_string(value, key))
    except ValueError:
        raise ValueError(f"{key} is not an instant of RFC 3339") from None


def _data(fields: _Object, key: str) -> bytes:
    value = fields.get(key)
    return b"" if value is None else _bytes(value, key)


def _bytes(value: object, key: str) -> bytes:
    try:
        return b64decode(_string(value, key), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{key} is not in base64") from None
