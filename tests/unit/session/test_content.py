"""The Content service: containerd's codes and messages, and a daemon that asks for what it should not."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
import pytest
from google.protobuf.message import Message

from buildctl._pb import content_pb2 as pb
from buildctl.errors import Code, ServiceError, TransferError
from buildctl.oci.store import Store
from buildctl.session.content import ContentService
from tests.support.mounts import small_tmpfs
from tests.support.session import listening
from tests.support.streams import MemoryStream, stream_pair

SERVICE = "/containerd.services.content.v1.Content/"
STORE = (("buildkit-attachable-store-id", "local:cache"),)

Response = TypeVar("Response", bound=Message)


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Daemon:
    """The peer of one service."""

    def __init__(self, service: ContentService, metadata: Sequence[tuple[str, str]] = STORE) -> None:
        self._service = service
        self._metadata = metadata

    def call(self, method: str) -> tuple[asyncio.Task[None], MemoryStream]:
        ours, theirs = stream_pair(self._metadata)

        async def answer() -> None:
            try:
                await self._service.methods[SERVICE + method](ours)
            finally:
                await ours.half_close()

        return asyncio.create_task(answer()), theirs

    async def ask(self, method: str, request: Message, kind: type[Response]) -> list[Response]:
        """All responses to one request."""
        task, stream = self.call(method)
        await stream.send_messages([request.SerializeToString()])
        await stream.half_close()
        responses: list[Response] = []
        while messages := await stream.receive_messages():
            responses += map(kind.FromString, messages)
        await task
        return responses

    async def write(self, *requests: pb.WriteContentRequest) -> list[pb.WriteContentResponse]:
        """All responses to the requests, which are sent at once."""
        task, stream = self.call("Write")
        await stream.send_messages([request.SerializeToString() for request in requests])
        await stream.half_close()
        responses: list[pb.WriteContentResponse] = []
        while messages := await stream.receive_messages():
            responses += map(pb.WriteContentResponse.FromString, messages)
        try:
            await task
        except ServiceError as error:
            error.add_note(f"after {len(responses)} responses")
            raise
        return responses

    async def add(self, data: bytes, ref: str = "ref") -> str:
        digest = digest_of(data)
        await self.write(
            pb.WriteContentRequest(action=pb.STAT, ref=ref, total=len(data), expected=digest),
            pb.WriteContentRequest(action=pb.WRITE, data=data),
            pb.WriteContentRequest(action=pb.COMMIT, offset=len(data), total=len(data), expected=digest),
        )
        return digest


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def daemon(layout: Path) -> Daemon:
    return Daemon(ContentService({"local:cache": Store(str(layout))}))


def failure(caught: pytest.ExceptionInfo[ServiceError]) -> tuple[Code, str]:
    return caught.value.code, str(caught.value)


# Which store


@pytest.mark.parametrize("method", ["Info", "Read", "List", "Write", "Status", "Abort", "Delete", "Update"])
@pytest.mark.parametrize(
    ("metadata", "code", "message"),
    [
        (
            (),
            Code.INVALID_ARGUMENT,
            'request lacks metadata "buildkit-attachable-store-id": invalid argument',
        ),
        (
            (("buildkit-attachable-store-id", "local:/etc"),),
            Code.NOT_FOUND,
            "unknown store local:/etc: not found",
        ),
    ],
)
async def test_only_offered_stores_are_served(
    layout: Path, method: str, metadata: tuple[tuple[str, str], ...], code: Code, message: str
) -> None:
    daemon = Daemon(ContentService({"local:cache": Store(str(layout))}), metadata)
    with pytest.raises(ServiceError) as caught:
        await daemon.ask(method, pb.InfoRequest(), pb.InfoResponse)
    assert failure(caught) == (code, message)


# Writing


async def test_each_message_of_a_write_is_answered(daemon: Daemon, layout: Path) -> None:
    digest = digest_of(b"hello you")
    stat, first, second, commit = await daemon.write(
        pb.WriteContentRequest(action=pb.STAT, ref="layer", total=9, expected=digest),
        pb.WriteContentRequest(action=pb.WRITE, data=b"hello "),
        pb.WriteContentRequest(action=pb.WRITE, offset=6, data=b"you"),
        pb.WriteContentRequest(action=pb.COMMIT, offset=9, total=9, expected=digest),
    )
    assert (stat.action, stat.offset, stat.total, stat.digest) == (pb.STAT, 0, 9, digest_of(b""))
    assert stat.started_at.seconds > 1_700_000_000
    assert (first.action, first.offset, first.digest) == (pb.WRITE, 6, digest_of(b"hello "))
    assert (second.offset, second.digest) == (9, digest)
    assert (commit.action, commit.offset, commit.digest) == (pb.COMMIT, 9, digest)
    blob = layout / "blobs" / "sha256" / digest.partition(":")[2]
    assert blob.read_bytes() == b"hello you"


async def test_a_commit_may_bring_the_last_bytes(daemon: Daemon) -> None:
    (response,) = await daemon.write(pb.WriteContentRequest(action=pb.COMMIT, ref="r", data=b"all"))
    assert (response.offset, response.digest) == (3, digest_of(b"all"))


async def test_a_write_is_resumed_by_another_call(daemon: Daemon) -> None:
    await daemon.write(pb.WriteContentRequest(action=pb.WRITE, ref="r", total=9, data=b"hello "))
    (status,) = await daemon.ask("Status", pb.StatusRequest(ref="r"), pb.StatusResponse)
    assert (status.status.ref, status.status.offset, status.status.total) == ("r", 6, 9)
    stat, commit = await daemon.write(
        pb.WriteContentRequest(action=pb.STAT, ref="r", total=9),
        pb.WriteContentRequest(action=pb.COMMIT, offset=6, data=b"you"),
    )
    assert (stat.offset, stat.digest) == (6, digest_of(b"hello "))
    assert commit.digest == digest_of(b"hello you")
    (listed,) = await daemon.ask("ListStatuses", pb.ListStatusesRequest(), pb.ListStatusesResponse)
    assert list(listed.statuses) == []


async def test_offset_zero_begins_again(daemon: Daemon) -> None:
    *_, commit = await daemon.write(
        pb.WriteContentRequest(action=pb.WRITE, ref="r", data=b"wrong"),
        pb.WriteContentRequest(action=pb.COMMIT, data=b"right"),
    )
    assert (commit.offset, commit.digest) == (5, digest_of(b"right"))


@pytest.mark.parametrize(
    ("requests", "code", "message"),
    [
        ([], Code.INVALID_ARGUMENT, "first message must have a reference"),
        (
            [pb.WriteContentRequest(action=pb.WRITE, data=b"x")],
            Code.INVALID_ARGUMENT,
            "first message must have a reference",
        ),
        (
            [pb.WriteContentRequest(action=pb.WRITE, ref="r", offset=5, data=b"x")],
            Code.OUT_OF_RANGE,
            "write @5 must occur at current offset 0",
        ),
        (
            [pb.WriteContentRequest(action=pb.WRITE, ref="r", offset=-5, data=b"x")],
            Code.OUT_OF_RANGE,
            "write @-5 must occur at current offset 0",
        ),
        (
            [pb.WriteContentRequest(action=pb.COMMIT, ref="r", total=2, data=b"x")],
            Code.FAILED_PRECONDITION,
            "unexpected commit size 1, expected 2: failed precondition",
        ),
        (
            [pb.WriteContentRequest(action=pb.COMMIT, ref="r", expected=digest_of(b"y"), data=b"x")],
            Code.FAILED_PRECONDITION,
            f"unexpected commit digest {digest_of(b'x')}, expected {digest_of(b'y')}: failed precondition",
        ),
        (
            [pb.WriteContentRequest(action=pb.STAT, ref="r", expected="sha256:../../../../etc/passwd")],
            Code.INVALID_ARGUMENT,
            "calculating expected blob path for writer: cannot calculate blob path from invalid digest:"
            " invalid checksum digest length",
        ),
    ],
)
async def test_writes_that_are_refused(
    daemon: Daemon, layout: Path, requests: list[pb.WriteContentRequest], code: Code, message: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        await daemon.write(*requests)
    assert failure(caught) == (code, message)
    assert not (layout / "blobs").exists()
    assert not layout.exists() or os.listdir(layout / "ingest") == []


async def test_what_came_before_a_refused_message_is_answered(daemon: Daemon) -> None:
    with pytest.raises(ServiceError) as caught:
        await daemon.write(
            pb.WriteContentRequest(action=pb.WRITE, ref="r", data=b"abc"),
            pb.WriteContentRequest(action=pb.WRITE, offset=9, data=b"x"),
        )
    assert caught.value.__notes__ == ["after 1 responses"]


async def test_what_is_there_need_not_be_sent(daemon: Daemon, layout: Path) -> None:
    digest = await daemon.add(b"content")
    with pytest.raises(ServiceError) as caught:
        await daemon.write(pb.WriteContentRequest(action=pb.STAT, ref="other", expected=digest))
    assert failure(caught) == (Code.ALREADY_EXISTS, f"content {digest}: already exists")
    with pytest.raises(ServiceError) as caught:
        await daemon.write(
            pb.WriteContentRequest(action=pb.STAT, ref="other"),
            pb.WriteContentRequest(action=pb.WRITE, data=b"con", expected=digest),
        )
    assert failure(caught) == (Code.ALREADY_EXISTS, f"blob with expected digest {digest} exists")
    assert os.listdir(layout / "ingest") == []


async def test_one_writer_a_ref(daemon: Daemon) -> None:
    task, stream = daemon.call("Write")
    await stream.send_messages([pb.WriteContentRequest(action=pb.STAT, ref="r").SerializeToString()])
    assert await stream.receive_messages()
    with pytest.raises(ServiceError) as caught:
        await daemon.write(pb.WriteContentRequest(action=pb.STAT, ref="r"))
    assert caught.value.code is Code.UNAVAILABLE
    await stream.half_close()
    await task
    await daemon.add(b"content", "r")


async def test_a_write_that_breaks_off_can_be_resumed(daemon: Daemon, layout: Path) -> None:
    task, stream = daemon.call("Write")
    await stream.send_messages(
        [pb.WriteContentRequest(action=pb.WRITE, ref="r", data=b"half").SerializeToString()]
    )
    assert await stream.receive_messages()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (layout / "blobs").exists()
    (stat,) = await daemon.write(pb.WriteContentRequest(action=pb.STAT, ref="r"))
    assert stat.offset == 4


async def test_many_writes_at_once(daemon: Daemon, layout: Path) -> None:
    contents = [os.urandom(100_000) for _ in range(40)]
    digests = await asyncio.gather(
        *(daemon.add(data, f"layer-{number}") for number, data in enumerate(contents))
    )
    assert {f"sha256:{name}" for name in os.listdir(layout / "blobs" / "sha256")} == set(digests)
    listed = await daemon.ask("List", pb.ListContentRequest(), pb.ListContentResponse)
    assert {info.digest for response in listed for info in response.info} == set(digests)


async def test_a_full_disk_is_told_with_what_to_do(tmp_path: Path) -> None:
    with small_tmpfs(tmp_path / "small", 1 << 20) as small:
        daemon = Daemon(ContentService({"local:cache": Store(str(small / "cache"))}))
        with pytest.raises(TransferError, match="no space left on device") as caught:
            await daemon.write(
                *(
                    pb.WriteContentRequest(action=pb.WRITE, ref="r", offset=at << 18, data=b"x" * (1 << 18))
                    for at in range(8)
                )
            )
        assert caught.value.hint
        assert not (small / "cache" / "blobs").exists()


# Reading


async def test_info(daemon: Daemon, layout: Path) -> None:
    digest = await daemon.add(b"content")
    (response,) = await daemon.ask("Info", pb.InfoRequest(digest=digest), pb.InfoResponse)
    blob = layout / "blobs" / "sha256" / digest.partition(":")[2]
    assert (response.info.digest, response.info.size) == (digest, 7)
    assert response.info.created_at.ToNanoseconds() == blob.stat().st_mtime_ns


@pytest.mark.parametrize(
    ("method", "digest", "code", "message"),
    [
        ("Info", digest_of(b""), Code.NOT_FOUND, f"content {digest_of(b'')}: not found"),
        ("Info", "../x", Code.INVALID_ARGUMENT, '"../x" failed validation'),
        ("Read", digest_of(b""), Code.NOT_FOUND, f"content {digest_of(b'')}: not found"),
        ("Read", "sha256:..", Code.INVALID_ARGUMENT, "sha256:..: invalid checksum digest length"),
        ("Delete", "sha256:..", Code.INVALID_ARGUMENT, "invalid checksum digest length"),
    ],
)
async def test_what_is_not_there(daemon: Daemon, method: str, digest: str, code: Code, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        await daemon.ask(method, pb.InfoRequest(digest=digest), pb.InfoResponse)
    assert failure(caught) == (code, message)


@pytest.mark.parametrize(
    ("offset", "size", "begin", "end"),
    [
        (0, 0, 0, 3_000_000),
        (0, -1, 0, 3_000_000),
        (-7, 10, 0, 10),
        (2_999_999, 0, 2_999_999, 3_000_000),
        (10, 9_000_000, 10, 3_000_000),
        (3_000_000, 0, 3_000_000, 3_000_000),
        (1, 2_500_000, 1, 2_500_001),
    ],
)
async def test_a_part_of_a_blob(daemon: Daemon, offset: int, size: int, begin: int, end: int) -> None:
    content = os.urandom(3_000_000)
    digest = await daemon.add(content)
    request = pb.ReadContentRequest(digest=digest, offset=offset, size=size)
    responses = await daemon.ask("Read", request, pb.ReadContentResponse)
    assert b"".join(response.data for response in responses) == content[begin:end]
    assert max([len(response.data) for response in responses], default=0) <= 1 << 20
    at = 0
    for response in responses:
        assert response.offset == at
        at += len(response.data)


async def test_reading_past_the_end_is_refused(daemon: Daemon) -> None:
    digest = await daemon.add(b"content")
    with pytest.raises(ServiceError) as caught:
        await daemon.ask("Read", pb.ReadContentRequest(digest=digest, offset=8), pb.ReadContentResponse)
    assert failure(caught) == (Code.OUT_OF_RANGE, "read past object length 7 bytes")


async def test_lists_come_in_blocks(daemon: Daemon, layout: Path) -> None:
    assert await daemon.ask("List", pb.ListContentRequest(), pb.ListContentResponse) == []
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for number in range(250):
        (blobs / f"{number:064x}").touch()
    listed = await daemon.ask("List", pb.ListContentRequest(), pb.ListContentResponse)
    assert [len(response.info) for response in listed] == [100, 100, 50]


async def test_changes(daemon: Daemon) -> None:
    digest = await daemon.add(b"content")
    with pytest.raises(ServiceError) as caught:
        await daemon.ask("Update", pb.UpdateRequest(info=pb.Info(digest=digest)), pb.UpdateResponse)
    assert caught.value.code is Code.FAILED_PRECONDITION
    await daemon.ask("Delete", pb.DeleteContentRequest(digest=digest), pb.InfoResponse)
    with pytest.raises(ServiceError, match="not found"):
        await daemon.ask("Info", pb.InfoRequest(digest=digest), pb.InfoResponse)
    await daemon.write(pb.WriteContentRequest(action=pb.WRITE, ref="r", data=b"x"))
    await daemon.ask("Abort", pb.AbortRequest(ref="r"), pb.InfoResponse)
    with pytest.raises(ServiceError) as caught:
        await daemon.ask("Status", pb.StatusRequest(ref="r"), pb.StatusResponse)
    assert caught.value.code is Code.NOT_FOUND


async def test_a_store_for_reading_is_not_changed(layout: Path) -> None:
    digest = await Daemon(ContentService({"local:cache": Store(str(layout))})).add(b"content")
    daemon = Daemon(ContentService({"local:cache": Store(str(layout), read_only=True)}))
    with pytest.raises(ServiceError) as caught:
        await daemon.ask("Delete", pb.DeleteContentRequest(digest=digest), pb.InfoResponse)
    assert caught.value.code is Code.PERMISSION_DENIED
    with pytest.raises(ServiceError) as caught:
        await daemon.add(b"more")
    assert caught.value.code is Code.PERMISSION_DENIED
    assert len(await daemon.ask("Read", pb.ReadContentRequest(digest=digest), pb.ReadContentResponse)) == 1


async def test_bytes_that_are_no_request(daemon: Daemon) -> None:
    for method in ("Info", "Read", "Write"):
        task, stream = daemon.call(method)
        await stream.send_messages([b"\xff"])
        with pytest.raises(ServiceError, match="the request is no ") as caught:
            await task
        assert caught.value.code is Code.INVALID_ARGUMENT


# Through HTTP/2, with grpcio as the daemon


async def test_a_grpc_client_writes_and_reads(layout: Path, tmp_path: Path) -> None:
    content = os.urandom(5_000_000)
    digest = digest_of(content)
    service = ContentService({"local:cache": Store(str(layout))})
    async with listening(service.methods, tmp_path) as listener:
        async with grpc.aio.insecure_channel(listener.target) as opened:
            channel: Any = opened
            write = channel.stream_stream(
                SERVICE + "Write",
                pb.WriteContentRequest.SerializeToString,
                pb.WriteContentResponse.FromString,
            )(metadata=STORE)
            await write.write(
                pb.WriteContentRequest(action=pb.STAT, ref="r", total=len(content), expected=digest)
            )
            assert (await write.read()).offset == 0
            for at in range(0, len(content), 1 << 20):
                await write.write(
                    pb.WriteContentRequest(action=pb.WRITE, offset=at, data=content[at : at + (1 << 20)])
                )
                assert (await write.read()).offset == min(len(content), at + (1 << 20))
            await write.write(pb.WriteContentRequest(action=pb.COMMIT, offset=len(content), expected=digest))
            assert (await write.read()).digest == digest
            assert not await write.read()  # the end
            read = channel.unary_stream(
                SERVICE + "Read",
                pb.ReadContentRequest.SerializeToString,
                pb.ReadContentResponse.FromString,
            )(pb.ReadContentRequest(digest=digest), metadata=STORE)
            assert b"".join([response.data async for response in read]) == content
        assert listener.errors == []
