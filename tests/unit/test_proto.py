"""The generated messages are what proto/ says, and what proto/ says is what daemons speak."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    ServiceDescriptor,
)

import buildctl._pb
from buildctl._pb import control_pb2, fsutil_pb2, status_pb2

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATED = Path(buildctl._pb.__file__).parent
FACTS = Path(__file__).with_name("proto_facts.txt")

SCALARS = {
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
}


def test_the_generated_modules_are_those_of_the_proto_files(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, REPOSITORY / "proto" / "generate.py", tmp_path], check=False)
    assert done.returncode == 0
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in GENERATED.iterdir() if path.is_file()}
    assert sorted(made) == sorted(kept), "run proto/generate.py"
    assert [name for name in made if made[name] != kept[name]] == [], "run proto/generate.py"


def test_names_numbers_and_types_are_those_on_the_wire() -> None:
    known = {line for line in FACTS.read_text().splitlines() if line and not line.startswith("#")}
    generated = {fact for file in generated_files() for fact in facts(file)}
    generated = {fact for fact in generated if not fact.startswith("moby.buildkit.v1.StatusEnvelope:")}
    assert sorted(generated - known) == [], "in the messages, not in proto_facts.txt"
    assert sorted(known - generated) == [], "in proto_facts.txt, not in the messages"


def test_an_envelope_is_on_the_wire_what_it_is_taken_for() -> None:
    envelope, response = control_pb2.StatusEnvelope.DESCRIPTOR, control_pb2.StatusResponse.DESCRIPTOR
    assert [(field.number, field.name) for field in envelope.fields] == [
        (field.number, field.name) for field in response.fields
    ]
    log = control_pb2.VertexLog(vertex="sha256:1", msg=b"text")
    sent = control_pb2.StatusResponse(logs=[log], vertexes=[control_pb2.Vertex(digest="sha256:1")])
    read = control_pb2.StatusEnvelope.FromString(sent.SerializeToString())
    assert list(read.vertexes) == list(sent.vertexes)
    assert [control_pb2.VertexLog.FromString(data) for data in read.logs] == [log]


def test_every_message_has_a_fact_of_its_own() -> None:
    lines = [line for line in FACTS.read_text().splitlines() if line and not line.startswith("#")]
    names = [line.split(":")[0] for line in lines]
    assert len(names) == len(set(names))


def test_repeated_numbers_are_packed() -> None:
    packable = [
        field
        for file in generated_files()
        for message in messages(file.message_types_by_name.values())
        for field in message.fields
        if field.is_repeated and field.type not in (field.TYPE_MESSAGE, field.TYPE_STRING, field.TYPE_BYTES)
    ]
    assert packable
    assert all(field.is_packed for field in packable)


CLASH = """
from google.protobuf import descriptor_pb2, descriptor_pool
for path, package, name in (("google/rpc/status.proto", "google.rpc", "Status"),
                            ("buildctl/_pb/fsutil.proto", "fsutil.types", "Packet")):
    other = descriptor_pb2.FileDescriptorProto(name=path, package=package, syntax="proto3")
    field = other.message_type.add(name=name).field.add(name="other", number=1)
    field.type, field.label = field.TYPE_BOOL, field.LABEL_OPTIONAL
    descriptor_pool.Default().AddSerializedFile(other.SerializeToString())
theirs = descriptor_pool.Default().FindMessageTypeByName("google.rpc.Status")
from buildctl._pb import fsutil_pb2, gateway_pb2, status_pb2
assert [field.name for field in theirs.fields] == ["other"]
assert status_pb2.Status.FromString(status_pb2.Status(code=5, message="x").SerializeToString()).message == "x"
assert gateway_pb2.ExitMessage(Error=status_pb2.Status(code=5)).Error.code == 5
assert fsutil_pb2.Packet(stat=fsutil_pb2.Stat(path=b"\\xff")).stat.path == b"\\xff"
"""


@pytest.mark.parametrize("order", ["theirs first", "ours first"])
def test_another_librarys_messages_of_the_same_name_do_not_clash(order: str) -> None:
    ours = "" if order == "theirs first" else "from buildctl._pb import fsutil_pb2, gateway_pb2, status_pb2\n"
    subprocess.run([sys.executable, "-c", ours + CLASH], check=True)


def test_a_name_that_is_not_utf8_parses() -> None:
    # What Go sends for os.Lstat("\xff"): a string field with that byte, and a map entry for the attribute.
    stat = b"\x0a\x01\xff" + b"\x3a\x01\xfe" + b"\x52\x07\x0a\x03\xfdab\x12\x00"
    parsed = fsutil_pb2.Stat.FromString(stat)
    assert (parsed.path, parsed.linkname) == (b"\xff", b"\xfe")
    assert [(xattr.key, xattr.value) for xattr in parsed.xattrs] == [(b"\xfdab", b"")]


def test_an_any_can_be_packed_and_unpacked() -> None:
    status = status_pb2.Status(code=2)
    status.details.add().Pack(fsutil_pb2.Stat(path=b"a"))
    stat = fsutil_pb2.Stat()
    assert status.details[0].type_url == "type.googleapis.com/fsutil.types.Stat"
    assert status.details[0].Unpack(stat)
    assert stat.path == b"a"


def generated_files() -> list[FileDescriptor]:
    names = sorted(path.stem for path in GENERATED.glob("*_pb2.py"))
    return [importlib.import_module(f"buildctl._pb.{name}").DESCRIPTOR for name in names]


def facts(file: FileDescriptor) -> Iterator[str]:
    """One line for each service, message and enum of a file."""
    yield from (service_fact(service) for service in file.services_by_name.values())
    for message in messages(file.message_types_by_name.values()):
        yield message_fact(message)
        yield from (enum_fact(enum) for enum in message.enum_types)
    yield from (enum_fact(enum) for enum in file.enum_types_by_name.values())


def messages(found: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for message in found:
        if not message.GetOptions().map_entry:
            yield message
            yield from messages(message.nested_types)


def service_fact(service: ServiceDescriptor) -> str:
    package = service.file.package
    calls = []
    for method in service.methods:
        taken = ("stream " if method.client_streaming else "") + short(method.input_type.full_name, package)
        given = ("stream " if method.server_streaming else "") + short(method.output_type.full_name, package)
        calls.append(f"{method.name}({taken}) -> {given}")
    return f"service {service.full_name}: {'; '.join(calls)}"


def message_fact(message: Descriptor) -> str:
    fields = sorted(message.fields, key=lambda field: field.number)
    return f"{message.full_name}: {'; '.join(map(field_fact, fields)) or 'empty'}"


def field_fact(field: FieldDescriptor) -> str:
    kind = type_name(field)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        kind = f"map<{type_name(key)}, {type_name(value)}>"
    elif field.is_repeated:
        kind = f"repeated {kind}"
    oneof = f" [{field.containing_oneof.name}]" if field.containing_oneof is not None else ""
    return f"{field.number} {field.name} {kind}{oneof}"


def type_name(field: FieldDescriptor) -> str:
    declared, owner = field.message_type or field.enum_type, field.containing_type
    if declared is None or owner is None:
        return SCALARS[field.type]
    return short(declared.full_name, owner.file.package)


def enum_fact(enum: EnumDescriptor) -> str:
    return f"enum {enum.full_name}: {', '.join(f'{value.number} {value.name}' for value in enum.values)}"


def short(full_name: str, package: str) -> str:
    return full_name.removeprefix(f"{package}.")
