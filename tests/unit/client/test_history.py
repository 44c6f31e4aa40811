"""The calls on the build history and on the daemon's content, against recorded and scripted daemons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from buildctl import (
    BuildError,
    BuildHistoryEvent,
    BuildHistoryEventType,
    BuildRecord,
    BuildResultInfo,
    Client,
    Descriptor,
    ErrorDetail,
    ExporterRecord,
    ProtocolError,
    RPCError,
    UsageError,
)
from buildctl._pb import content_pb2, control_pb2, status_pb2
from buildctl.client.convert.history import history_event
from tests.support.replay_server import replay_server
from tests.support.scripted_daemon import client_of, scripted_daemon

BLOB = bytes(range(256)) * 10_000
DIGEST = "sha256:" + "0a" * 32
MIB = 1 << 20


def request(name: str) -> bytes:
    """The request of a message's type with every field set."""
    return {
        "listen": control_pb2.BuildHistoryRequest(
            ActiveOnly=True, Ref="r", EarlyExit=True, Filter=["a", "b"], Limit=3
        ),
        "update": control_pb2.UpdateBuildHistoryRequest(Ref="r", Pinned=True, Delete=True, Finalize=True),
    }[name].SerializeToString()


async def test_requests(tmp_path: Path) -> None:
    with replay_server("prune-histories", tmp_path / "s", speed=0) as server:
        async with client_of(tmp_path / "s") as client:
            listening = client.listen_build_history(
                "r", active_only=True, early_exit=True, filters=["a", "b"], limit=3
            )
            events = [event async for event in listening]
            await client.update_build_history("r", pinned=True, delete=True, finalize=True)
    assert [call.request for call in server.received] == [request("listen"), request("update")]
    assert len(events) == len({event.record.ref for event in events if event.record})
    assert {event.type for event in events} == {BuildHistoryEventType.COMPLETE}


async def test_text_that_no_message_can_carry(tmp_path: Path) -> None:
    async with client_of(tmp_path / "nobody") as client:
        with pytest.raises(UsageError):
            await anext(client.listen_build_history("\udcff"))
        with pytest.raises(UsageError):
            await client.update_build_history("\udcff")
        with pytest.raises(UsageError):
            await anext(client.read_content("\udcff"))


def descriptor(digest: str) -> control_pb2.Descriptor:
    return control_pb2.Descriptor(media_type="m", digest=digest, size=5, annotations={"k": "v"})


def test_every_field_of_a_record() -> None:
    message = control_pb2.BuildHistoryRecord(
        Ref="r",
        Frontend="dockerfile.v0",
        FrontendAttrs={"target": "x"},
        Exporters=[control_pb2.Exporter(Type="image", Attrs={"name": "n"})],
        error=status_pb2.Status(code=5, message="gone"),
        logs=descriptor("logs"),
        ExporterResponse={"a": "b"},
        Result=control_pb2.BuildResultInfo(
            ResultDeprecated=descriptor("old"),
            Attestations=[descriptor("proof")],
            Results={1: descriptor("one"), 0: descriptor("zero")},
        ),
        Results={"linux/386": control_pb2.BuildResultInfo()},
        Generation=4,
        trace=descriptor("trace"),
        pinned=True,
        numCachedSteps=1,
        numTotalSteps=3,
        numCompletedSteps=2,
        externalError=descriptor("error"),
        numWarnings=9,
    )
    message.CreatedAt.seconds, message.CreatedAt.nanos, message.CompletedAt.seconds = 1, 2, 3
    message.error.details.add(type_url="t", value=b"raw")
    assert len(message.ListFields()) == len(message.DESCRIPTOR.fields)

    def blob(digest: str) -> Descriptor:
        return Descriptor("m", digest, 5, {"k": "v"})

    record = BuildRecord(
        ref="r",
        frontend="dockerfile.v0",
        frontend_attrs={"target": "x"},
        exporters=(ExporterRecord("image", {"name": "n"}),),
        error=BuildError(5, "gone", (ErrorDetail("t", {}, "t", b"raw"),)),
        created_at_ns=1_000_000_002,
        completed_at_ns=3_000_000_000,
        logs=blob("logs"),
        exporter_response={"a": "b"},
        result=BuildResultInfo({0: blob("zero"), 1: blob("one")}, (blob("proof"),), blob("old")),
        results={"linux/386": BuildResultInfo()},
        generation=4,
        trace=blob("trace"),
        pinned=True,
        cached_steps=1,
        total_steps=3,
        completed_steps=2,
        external_error=blob("error"),
        warnings=9,
    )
    event = history_event(control_pb2.BuildHistoryEvent(type=control_pb2.DELETED, record=message))
    assert event == BuildHistoryEvent(BuildHistoryEventType.DELETED, record)
    assert (event.type_name, record.error and record.error.name) == ("DELETED", "NotFound")


def test_what_is_absent_or_unknown() -> None:
    assert history_event(control_pb2.BuildHistoryEvent()) == BuildHistoryEvent(0, None)
    event = history_event(control_pb2.BuildHistoryEvent(type=7, record=control_pb2.BuildHistoryRecord()))  # type: ignore[arg-type]  # open enums
    assert event == BuildHistoryEvent(7, BuildRecord(""))
    assert event.type_name == "7"
    assert BuildError(99, "odd").name == "99"


async def read(client: Client) -> bytes:
    return b"".join([data async for data in client.read_content(DIGEST)])


def store(size: int, *, cut: int = 1 << 62, pieces: int = 300_000, more: bytes = b"") -> dict[str, Any]:
    """Answers of a content store that announces `size` bytes and has `cut`."""

    async def info(request: bytes, context: Any) -> Message:
        return content_pb2.InfoResponse(info=content_pb2.Info(digest=DIGEST, size=size))

    async def content(request: bytes, context: Any) -> AsyncIterator[Message]:
        asked = content_pb2.ReadContentRequest.FromString(request)
        end = min(asked.offset + asked.size, cut)
        for at in range(asked.offset, end, pieces):
            yield content_pb2.ReadContentResponse(offset=at, data=BLOB[at : min(at + pieces, end)])
        if more:
            yield content_pb2.ReadContentResponse(data=more)

    return {"Content/Info": info, "Content/Read": content}


async def test_a_blob_in_requests_of_a_mib(tmp_path: Path) -> None:
    async with (
        scripted_daemon(tmp_path / "s", store(len(BLOB))) as daemon,
        client_of(tmp_path / "s") as client,
    ):
        assert await read(client) == BLOB
    asked = [content_pb2.ReadContentRequest.FromString(one) for one in daemon.requests("Read")]
    assert [(one.offset, one.size) for one in asked] == [
        (0, MIB),
        (MIB, MIB),
        (2 * MIB, len(BLOB) - 2 * MIB),
    ]
    assert {one.digest for one in asked} == {DIGEST}


@pytest.mark.parametrize("size", [0, -5])
async def test_an_empty_blob_is_not_asked_for(size: int, tmp_path: Path) -> None:
    async with scripted_daemon(tmp_path / "s", store(size)) as daemon, client_of(tmp_path / "s") as client:
        assert await read(client) == b""
    assert daemon.requests("Read") == []


async def test_a_store_that_has_less_than_it_said(tmp_path: Path) -> None:
    answers = store(len(BLOB), cut=MIB + 7)
    async with scripted_daemon(tmp_path / "s", answers), client_of(tmp_path / "s") as client:
        with pytest.raises(ProtocolError, match=f"after {MIB + 7} of {len(BLOB)} bytes"):
            await read(client)


async def test_a_store_that_sends_more_than_was_asked(tmp_path: Path) -> None:
    async with scripted_daemon(tmp_path / "s", store(10, more=b"x")), client_of(tmp_path / "s") as client:
        with pytest.raises(ProtocolError, match="more of sha256:0a"):
            await read(client)


async def test_a_daemon_without_a_store(tmp_path: Path) -> None:
    async with scripted_daemon(tmp_path / "s", {}), client_of(tmp_path / "s") as client:
        with pytest.raises(RPCError, match="^Unimplemented: "):
            await read(client)
        with pytest.raises(RPCError, match="^rpc error: code = Unimplemented desc = "):
            await anext(client.listen_build_history())
        with pytest.raises(RPCError, match="^Unimplemented: "):
            await client.update_build_history("r")
