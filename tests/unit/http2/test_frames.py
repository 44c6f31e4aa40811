"""Frames are cut and written as an independent parser understands them."""

from __future__ import annotations

import time

import pytest
from hyperframe import frame as hyperframe

from buildctl.http2 import frames
from buildctl.http2.frames import PREFACE, ErrorCode, FrameReader, PeerError, Setting
from buildctl.http2.windows import ReceiveWindow, SendWindow
from tests.support.http2 import DATA, PING, frame, parse


def test_frames_that_a_server_writes() -> None:
    data = b"".join(
        (
            frames.settings_frame([(Setting.MAX_FRAME_SIZE, 20_000), (Setting.INITIAL_WINDOW_SIZE, 7)]),
            frames.SETTINGS_ACK,
            frames.ping_ack_frame(b"12345678"),
            frames.window_update_frame(3, 70_000),
            frames.rst_stream_frame(5, ErrorCode.CANCEL),
            frames.goaway_frame(7, ErrorCode.PROTOCOL_ERROR, b"why"),
            frames.data_header(9, 100_000) + bytes(100_000),
        )
    )
    settings, ack, ping, window, reset, goaway, content = parse(data)
    assert settings.settings == {5: 20_000, 4: 7}
    assert "ACK" in ack.flags
    assert (ping.opaque_data, set(ping.flags)) == (b"12345678", {"ACK"})
    assert (window.stream_id, window.window_increment) == (3, 70_000)
    assert (reset.stream_id, reset.error_code) == (5, 8)
    assert (goaway.last_stream_id, goaway.error_code, goaway.additional_data) == (7, 1, b"why")
    assert isinstance(content, hyperframe.DataFrame)
    assert (content.stream_id, len(content.data), set(content.flags)) == (9, 100_000, set())


def test_the_reserved_bit_of_stream_ids_is_ignored() -> None:
    reader = FrameReader(100, PREFACE)
    (one,) = reader.feed(PREFACE + b"\0\0\0\0\0\x80\0\0\1")
    assert one[2] == 1


def test_whole_frames_are_views_of_what_arrived() -> None:
    reader = FrameReader(100, PREFACE)
    data = PREFACE + frame(DATA, 0, 1, b"content")
    (one,) = reader.feed(data)
    assert one[3].obj is data


def test_plain_data_that_follows_on_one_stream_is_one_frame() -> None:
    def read(*sent: bytes) -> list[tuple[int, int, int, bytes]]:
        reader = FrameReader(1 << 20, PREFACE)
        return [(*one[:3], bytes(one[3])) for one in reader.feed(PREFACE + b"".join(sent))]

    one, two = frame(DATA, 0, 1, b"one"), frame(DATA, 0, 1, b"two")
    assert read(one, two, one) == [(DATA, 0, 1, b"onetwoone")]
    for apart in (
        frame(DATA, 0, 3, b"another stream"),
        frame(DATA, 1, 1, b"the end"),
        frame(DATA, 0, 1, b""),
        frame(DATA, 0, 1, bytes((1 << 14) + 1)),
        frame(PING, 0, 0, bytes(8)),
    ):
        kind, flags, stream_id = apart[3], apart[4], int.from_bytes(apart[5:9], "big")
        expected = [(DATA, 0, 1, b"one"), (kind, flags, stream_id, apart[9:]), (DATA, 0, 1, b"twoone")]
        assert read(one, apart, two, one) == expected
    assert read(one, two[:-1]) == [(DATA, 0, 1, b"one")]


def test_of_data_that_is_joined_each_frame_has_its_limit() -> None:
    reader = FrameReader(100, PREFACE)
    data = PREFACE + frame(DATA, 0, 1, bytes(100)) + frame(DATA, 0, 1, bytes(101))
    frames_read = reader.feed(data)
    assert len(next(frames_read)[3]) == 100
    with pytest.raises(PeerError):
        next(frames_read)


def test_a_frame_in_many_pieces_costs_its_size() -> None:
    """65,000 pieces take 0.2 s, and would take many seconds if each meant a copy of those before."""
    data = frame(DATA, 0, 1, bytes(1 << 20))
    reader = FrameReader(1 << 20, PREFACE)
    list(reader.feed(PREFACE))
    started = time.process_time()
    found = [one for start in range(0, len(data), 16) for one in reader.feed(data[start : start + 16])]
    assert time.process_time() - started < 2
    assert len(found[0][3]) == 1 << 20


def test_too_large_a_frame_is_refused_by_its_header() -> None:
    for data in (frame(PING, 0, 0, bytes(101))[:9], frame(PING, 0, 0) + frame(PING, 0, 0, bytes(101))[:9]):
        reader = FrameReader(100, PREFACE)
        with pytest.raises(PeerError) as caught:
            [list(reader.feed(bytes([byte]))) for byte in PREFACE + data]
        assert caught.value.code is ErrorCode.FRAME_SIZE_ERROR


def test_send_windows() -> None:
    window = SendWindow(1, 10)
    window.available -= 10
    window.resize(-7)
    assert window.available == -7
    window.grant(8)
    assert window.available == 1
    with pytest.raises(PeerError) as caught:
        window.grant((1 << 31) - 1)
    assert caught.value.stream_id == 1
    with pytest.raises(PeerError) as caught:
        window.resize((1 << 31) - 1)
    assert caught.value.stream_id == 0


def test_receive_windows_are_granted_in_halves() -> None:
    window = ReceiveWindow(3, 100)
    window.receive(100)
    assert [window.consume(30), window.consume(19), window.consume(1), window.consume(49)] == [0, 0, 50, 0]
    window.receive(50)
    with pytest.raises(PeerError) as caught:
        window.receive(1)
    assert (caught.value.code, caught.value.stream_id) == (ErrorCode.FLOW_CONTROL_ERROR, 3)
