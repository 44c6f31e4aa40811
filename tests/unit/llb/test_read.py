"""Definitions from outside: what is kept to the byte, what is marked, what is refused."""

import hashlib

import pytest

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.read import parse_definition


def definition() -> ops_pb2.Definition:
    source = ops_pb2.Op()
    source.source.identifier = "local://src"
    message = ops_pb2.Definition()
    getattr(message, "def").append(source.SerializeToString())
    message.metadata[digest(source.SerializeToString())].caps["source.local"] = True
    return message


def digest(op: bytes) -> str:
    return "sha256:" + hashlib.sha256(op).hexdigest()


def test_a_definition_is_sent_as_it_came() -> None:
    message = definition()
    assert ops_pb2.Definition.FromString(parse_definition(message.SerializeToString())) == message


def test_ignore_cache_marks_every_op_and_keeps_the_rest() -> None:
    message = definition()
    end = ops_pb2.Op(inputs=[ops_pb2.Input(digest="sha256:00")]).SerializeToString()
    getattr(message, "def").append(end)
    read = ops_pb2.Definition.FromString(parse_definition(message.SerializeToString(), ignore_cache=True))
    ops = list(getattr(read, "def"))
    assert ops == list(getattr(message, "def"))
    assert [read.metadata[digest(op)].ignore_cache for op in ops] == [True, True]
    assert dict(read.metadata[digest(ops[0])].caps) == {"source.local": True}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty definition sent to build. Specify --frontend instead?"),
        (b"garbage", "failed to parse input: proto: "),
    ],
)
def test_refuse(data: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_definition(data)
    assert str(caught.value).startswith(message)
