"""Texts that are not UTF-8 in messages of daemons."""

from __future__ import annotations

import contextlib

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from buildctl._pb import control_pb2
from buildctl.client.convert.repair import repair_text

KIND = control_pb2.BuildHistoryEvent.DESCRIPTOR
EVENT = control_pb2.BuildHistoryEvent(
    type="COMPLETE",
    record=control_pb2.BuildHistoryRecord(
        Ref="abc",
        FrontendAttrs={"label:XXXX": "YYYY", "target": "t"},
        Exporters=[{"Type": "image", "Attrs": {"name": "ZZZZ"}}],
        numTotalSteps=300,
        pinned=True,
    ),
)


def spoiled(*words: bytes) -> bytes:
    data = EVENT.SerializeToString(deterministic=True)
    for word in words:
        data = data.replace(word, b"\xff\xfe\xe9" + word[:1])
    return data


def test_only_what_is_not_utf8_changes() -> None:
    data = spoiled(b"XXXX", b"YYYY", b"ZZZZ")
    with pytest.raises(DecodeError):
        control_pb2.BuildHistoryEvent.FromString(data)
    event = control_pb2.BuildHistoryEvent.FromString(repair_text(KIND, data))
    odd = "\ufffd\ufffd\ufffd"
    assert dict(event.record.FrontendAttrs) == {f"label:{odd}X": f"{odd}Y", "target": "t"}
    assert event.record.Exporters[0].Attrs["name"] == f"{odd}Z"
    assert (event.record.Ref, event.record.numTotalSteps, event.record.pinned) == ("abc", 300, True)


def test_what_is_right_stays() -> None:
    data = EVENT.SerializeToString()
    assert repair_text(KIND, data) == data


def test_bytes_stay_bytes() -> None:
    message = control_pb2.VertexWarning(vertex="v", short=b"\xff\xfe", url="u")
    assert repair_text(message.DESCRIPTOR, message.SerializeToString()) == message.SerializeToString()


def test_depth_has_a_limit() -> None:
    with pytest.raises(DecodeError, match="nested too deeply"):
        repair_text(KIND, EVENT.SerializeToString(), depth=1)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        repair_text(KIND, data)


@given(st.binary(max_size=60), st.integers(0, 100))
def test_a_message_that_is_cut(more: bytes, at: int) -> None:
    with contextlib.suppress(DecodeError):
        control_pb2.BuildHistoryEvent.FromString(repair_text(KIND, (EVENT.SerializeToString() + more)[:at]))
