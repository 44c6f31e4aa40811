"""The reference's words for bytes that are no message, and its taste in what is one."""

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.wire import check_wire


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"garbage", "proto: illegal wireType 7"),
        (b"\x00", "proto: Definition: illegal tag 0 (wire type 0)"),
        (b"\x05", "proto: Definition: illegal tag 0 (wire type 5)"),
        (b"\x0c", "proto: Definition: wiretype end group for non-group"),
        (b"\x08\x01", "proto: wrong wireType = 0 for field Def"),
        (b"\x10\x01", "proto: wrong wireType = 0 for field Metadata"),
        (b"\x0a", "unexpected EOF"),
        (b"\x0a\x05abc", "unexpected EOF"),
        (b"\x80", "unexpected EOF"),
        (b"\xff" * 10, "proto: integer overflow"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "proto: negative length found during unmarshaling"),
        (b"\x0a" + b"\xff" * 8 + b"\x7f", "proto: negative length found during unmarshaling"),
        (b"\xf8\xff\xff\xff\x7f\x00", "proto: Definition: illegal tag -1 (wire type 34359738360)"),
        (b"\x21\x00", "unexpected EOF"),  # of an unknown field with eight bytes
        (b"\x25\x00", "unexpected EOF"),
        (b"\x23\x08\x01", "unexpected EOF"),  # a group without an end
        (b"\x23\x27", "proto: illegal wireType 7"),
        (b"\x12\x02\x0a\x05", "unexpected EOF"),  # the key of an entry of Metadata
        (b"\x12\x04\x12\x02\x08", "unexpected EOF"),
        (b"\x12\x04\x12\x02\x0a\x00", "proto: wrong wireType = 2 for field IgnoreCache"),
    ],
)
def test_what_is_wrong_with_a_definition(data: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_wire(data, ops_pb2.Definition)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x0a\x00",
        b"\x20\x01",  # unknown fields of each kind
        b"\x21" + bytes(8),
        b"\x22\x01a",
        b"\x23\x08\x01\x2b\x2c\x24",  # groups, one in the other
        b"\x25" + bytes(4),
        b"\x12\x02\x0a\x00",
    ],
)
def test_what_the_reference_reads(data: bytes) -> None:
    check_wire(data, ops_pb2.Definition)
    ops_pb2.Definition.FromString(data)


def test_names_within_an_op() -> None:
    op = ops_pb2.Op()
    op.exec.meta.proxy_env.http_proxy = "p"
    data = op.SerializeToString().replace(b"\x0a\x01p", b"\x08\x00\x00")
    with pytest.raises(UsageError, match="^proto: wrong wireType = 0 for field HttpProxy$"):
        check_wire(data, ops_pb2.Op)


def test_a_message_in_itself_without_end() -> None:
    data = b""
    for _ in range(200):  # a Definition's source's infos' definition
        data = _field(3, _field(2, _field(3, data)))
    check_wire(data, ops_pb2.Definition)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@given(st.binary(max_size=200))
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        check_wire(data, ops_pb2.Op)


@given(st.text(st.characters(max_codepoint=127), max_size=60), st.integers(0, 60))
def test_protobuf_reads_what_is_not_refused(text: str, cut: int) -> None:
    op = ops_pb2.Op(inputs=[ops_pb2.Input(digest="sha256:00")])
    op.source.attrs["key"] = text
    op.file.actions.add().mkfile.data = text.encode()
    whole = op.SerializeToString()
    damaged = whole[:cut] + whole[cut + 1 :]
    assume(all(byte < 0x80 for byte in damaged))  # what is not UTF-8 the reference passes, and protobuf not
    try:
        check_wire(damaged, ops_pb2.Op)
    except UsageError:
        return
    ops_pb2.Op.FromString(damaged)
