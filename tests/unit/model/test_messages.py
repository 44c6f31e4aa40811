"""Messages with text in another encoding than UTF-8 are read, and nothing else of them changes."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2, ops_pb2, stack_pb2
from buildctl.model.messages import read_message

MARK = b"\x01\x02"
"""Valid text of the length of what takes its place."""


def test_latin_text_is_shown_as_far_as_it_can_be() -> None:
    name = f"RUN {MARK.decode()} x"
    vertex = control_pb2.Vertex(digest="sha256:1", name=name, inputs=["a", "b"], cached=True)
    vertex.started.seconds = 1 << 40
    message = control_pb2.StatusResponse(vertexes=[vertex, vertex])
    message.logs.add(vertex="sha256:1", msg=b"\xe9 stays", stream=1)
    data = message.SerializeToString().replace(MARK, b"\xe9\xff")
    expected = control_pb2.StatusResponse.FromString(message.SerializeToString())
    for each in expected.vertexes:
        each.name = "RUN \ufffd\ufffd x"
    assert read_message(control_pb2.StatusResponse, data) == expected


def test_keys_and_values_of_tables_are_text_too() -> None:
    message = ops_pb2.Definition()
    getattr(message, "def").append(b"\xff\xfe")
    message.metadata["sha256:1"].description[MARK.decode()] = "n" * 200 + MARK.decode()
    data = message.SerializeToString().replace(MARK, b"\xe9\xe9")
    found = read_message(ops_pb2.Definition, data)
    assert list(getattr(found, "def")) == [b"\xff\xfe"]
    assert dict(found.metadata["sha256:1"].description) == {"\ufffd\ufffd": "n" * 200 + "\ufffd\ufffd"}


def test_what_is_not_known_and_numbers_of_any_width_are_kept() -> None:
    unknown = b"\xc2\x3e\x02\xff\xff" + b"\xc5\x3e\xff\xff\xff\xff" + b"\xc1\x3e" + b"\xff" * 8
    data = b"\x0a\x02\xe9\xe9" + unknown + b"\x18\x05"
    found = read_message(stack_pb2.Frame, data)
    assert (found.Name, found.Line) == ("\ufffd\ufffd", 5)
    assert unknown in found.SerializeToString()
    with pytest.raises(DecodeError):
        read_message(stack_pb2.Frame, data[:-1])


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x0a\x05\xe9",
        b"\x0b",
        b"\x0a\x02\xe9\xe9\x08" + b"\xff" * 11,
        b"\x0a\x02\xe9\xe9\x09\x01",
    ],
)
def test_bytes_that_are_not_a_message_stay_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read_message(stack_pb2.Frame, data)
