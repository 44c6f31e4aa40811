from __future__ import annotations

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from buildctl._pb.fsutil_pb2 import Packet, Stat
from buildctl.fsutil.pieces import data_of

NUMBERS = st.integers(0, 2**32 - 1)


@given(NUMBERS, st.sampled_from((0, 1, 127, 128, 16383, 16384, 40_000)))
def test_data_packets_are_read_as_protobuf_reads_them(number: int, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)
    message = Packet(type=Packet.PACKET_DATA, ID=number, data=content).SerializeToString()
    found = data_of(message)
    assert (found and (found[0], bytes(found[1]))) == ((number, content) if content else None)


@given(
    st.one_of(
        st.binary(max_size=40),
        st.tuples(NUMBERS, st.binary(max_size=300), st.binary(max_size=6)).map(
            lambda parts: (
                Packet(type=Packet.PACKET_DATA, ID=parts[0], data=parts[1]).SerializeToString() + parts[2]
            )
        ),
        st.binary(max_size=20).map(lambda rest: b"\x08\x02\x18" + rest),
        st.binary(max_size=20).map(lambda rest: b"\x08\x02\x22" + rest),
    )
)
def test_whatever_is_read_from_any_bytes_is_what_protobuf_reads(message: bytes) -> None:
    found = data_of(message)
    if found is None:
        return
    try:
        packet = Packet.FromString(message)
    except DecodeError as error:
        raise AssertionError(message) from error
    assert packet.type == Packet.PACKET_DATA
    assert not packet.HasField("stat")
    assert (packet.ID, packet.data) == (found[0], bytes(found[1]))


def test_other_packets_are_left_to_protobuf() -> None:
    for packet in (
        Packet(type=Packet.PACKET_STAT, stat=Stat(path=b"x" * 5000)),
        Packet(type=Packet.PACKET_ERR, data=b"x" * 5000),
        Packet(type=Packet.PACKET_DATA, stat=Stat(path=b"x"), data=b"x" * 5000),
        Packet(type=Packet.PACKET_FIN),
    ):
        assert data_of(packet.SerializeToString()) is None
