"""Definitions for people to read: a line of JSON an op, or a graph for Graphviz.

Names and what is left out are those that Go's encoding/json gives the reference (solver/pb/json.go,
cmd/buildctl/debug/dumpllb.go): proto names, zero values omitted, bytes in base64, enums as numbers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from buildctl._pb import ops_pb2
from buildctl.llb.read import decode_definition, decode_op
from buildctl.llb.sourcemap import PYTHON
from buildctl.model.gojson import encode
from buildctl.model.quote import quote

_Object = dict[str, Any]
_OP_PREFIX = "failed to parse op: "
_MOST_LINES_BYTES = 16 << 20
"""Of lines of programs that one definition is shown with, and what each costs beside its text."""
_LINE_BYTES = 200


def dump_json(data: bytes) -> Iterator[bytes]:
    """A line for each op of a serialized definition: Op, Digest, OpMetadata. Raises `UsageError`."""
    definition = decode_definition(data, "")
    sources = _PythonLines(definition)
    for encoded in getattr(definition, "def"):
        digest = _digest(encoded)
        entry: _Object = {"Op": op_fields(decode_op(encoded, _OP_PREFIX)), "Digest": digest}
        if digest in definition.metadata:
            entry["OpMetadata"] = _plain(definition.metadata[digest])
        else:
            entry["OpMetadata"] = {}
        if lines := sources.of(digest):
            entry["Source"] = lines
        yield encode(entry) + b"\n"


def dump_dot(data: bytes) -> Iterator[bytes]:
    """The graph of a serialized definition in Graphviz's language. Raises `UsageError`."""
    ops = [
        (_digest(encoded), decode_op(encoded, _OP_PREFIX))
        for encoded in getattr(decode_definition(data, ""), "def")
    ]
    yield b"digraph {\n"
    for digest, op in ops:
        label, shape = _node(digest, op)
        yield f"  {quote(digest)} [label={quote(label)} shape={quote(shape)}];\n".encode()
    for digest, op in ops:
        for index, source in enumerate(op.inputs):
            mounted = [mount.dest for mount in op.exec.mounts if mount.input == index and mount.dest != "/"]
            label = mounted[-1] if mounted else ""
            yield f"  {quote(source.digest)} -> {quote(digest)} [label={quote(label)}];\n".encode()
    yield b"}\n"


class _PythonLines:
    """The lines of Python programs that asked for ops, which the reference has no place for.

    Definitions that name other languages are shown as it shows them. Any number of ops may name the same
    lines, so that a small definition could have no end: there is a limit to what is shown.
    """

    def __init__(self, definition: ops_pb2.Definition) -> None:
        self._source = definition.Source
        self._texts: dict[int, list[str]] = {}
        self._left = _MOST_LINES_BYTES

    def of(self, digest: str) -> list[_Object]:
        """What asked for one op, as far as there is room."""
        if digest not in self._source.locations:
            return []
        return [
            {"filename": name, "line": number, "text": text}
            for place in self._source.locations[digest].locations
            for name, number, text in self._lines(place)
        ]

    def _lines(self, place: ops_pb2.Location) -> Iterator[tuple[str, int, str]]:
        if not 0 <= place.sourceIndex < len(self._source.infos):
            return
        info = self._source.infos[place.sourceIndex]
        if info.language != PYTHON:
            return
        text = self._texts.get(place.sourceIndex)
        if text is None:
            text = self._texts[place.sourceIndex] = info.data.decode(errors="replace").split("\n")
        for each in place.ranges:
            for number in range(max(each.start.line, 1), min(each.end.line, len(text)) + 1):
                line = text[number - 1].strip()
                self._left -= len(line) + len(info.filename) + _LINE_BYTES
                if self._left < 0:
                    return
                yield info.filename, number, line


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def op_fields(op: ops_pb2.Op) -> _Object:
    kind = op.WhichOneof("op")
    members: _Object = {"inputs": [_plain(source) for source in op.inputs]} if op.inputs else {}
    members["Op"] = {kind: _plain(getattr(op, kind))} if kind else {}
    for name in ("platform", "constraints"):
        if op.HasField(name):
            members[name] = _plain(getattr(op, name))
    return members


def _plain(message: Message) -> _Object:
    """A message as Go marshals its struct; three types have a form of their own."""
    match message:
        case ops_pb2.Op():
            return op_fields(message)
        case ops_pb2.FileAction():
            kind = message.WhichOneof("action")
            shown = kind is not None and kind != "symlink"  # which the reference's form does not know
            return {
                "input": message.input,
                "secondaryInput": message.secondaryInput,
                "output": message.output,
                "Action": {kind: _plain(getattr(message, kind))} if shown and kind else {},
            }
        case ops_pb2.UserOpt():
            if message.WhichOneof("user") == "byName":
                return {"User": {"byName": _plain(message.byName)}}
            return {"User": {"byId": message.byID} if message.byID else {}}
    return {field.name: _field(field, value) for field, value in message.ListFields()}


def _field(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {key: _value(inner, value[key]) for key in sorted(value)}
    if isinstance(value, str | bytes | bool | int | Message):
        return _value(field, value)
    return [_value(field, item) for item in value]


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return _plain(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _node(digest: str, op: ops_pb2.Op) -> tuple[str, str]:
    """Label and shape."""
    match op.WhichOneof("op"):
        case "source":
            return op.source.identifier, "ellipse"
        case "exec":
            return " ".join(op.exec.meta.args), "box"
        case "build":
            return "build", "box3d"
        case "merge":
            return "merge", "invtriangle"
        case "diff":
            return "diff", "doublecircle"
        case "file":
            return ",".join(map(_file_action, op.file.actions)), "note"
    return digest, "plaintext"


def _file_action(action: ops_pb2.FileAction) -> str:
    match action.WhichOneof("action"):
        case "copy":
            return f"copy{{src={action.copy.src}, dest={action.copy.dest}}}"
        case "mkfile":
            return f"mkfile{{path={action.mkfile.path}}}"
        case "mkdir":
            return f"mkdir{{path={action.mkdir.path}}}"
        case "rm":
            return f"rm{{path={action.rm.path}}}"
        case "symlink":
            return f"symlink{{oldpath={action.symlink.oldpath}, newpath={action.symlink.newpath}}}"
    return ""
