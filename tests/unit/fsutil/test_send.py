"""Whole transfers from real folders to a receiver that works as fsutil's does."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb.fsutil_pb2 import Packet, Stat
from buildctl.errors import BuildctlError, ProtocolError, TransferError
from buildctl.fsutil import content, filemode, listing
from buildctl.fsutil.receive import receive as receive_tree
from buildctl.fsutil.send import SendSummary, send
from tests.support import fsutil_receiver as receiver
from tests.support.descriptors import descriptors_in
from tests.support.fsutil_receiver import Received, SenderError, request, wants_all
from tests.support.streams import MemoryStream, stream_pair
from tests.support.tree import describe, make_tree

CHUNK = content.CHUNK_BYTES


async def transfer(
    root: Path, *, wants: Callable[[Stat], bool] = wants_all, limit: int = 1 << 20, **options: Any
) -> tuple[SendSummary, Received]:
    ours, theirs = stream_pair(limit=limit)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        sending = group.create_task(send(ours.receive_messages, ours.send_messages, str(root), **options))
        receiving = group.create_task(receiver.receive(theirs, wants))
    return sending.result(), receiving.result()


Script = Callable[[MemoryStream], Coroutine[Any, Any, None]]


async def against(root: Path, script: Script, **options: Any) -> BuildctlError:
    """The error that sending ends with when the receiver follows a script."""
    ours, theirs = stream_pair()
    playing = asyncio.create_task(script(theirs))
    try:
        async with asyncio.timeout(10):
            with pytest.raises(BuildctlError) as raised:
                await send(ours.receive_messages, ours.send_messages, str(root), **options)
            await playing
    finally:
        playing.cancel()
    assert descriptors_in(root) == 0 or await closed(root)
    return raised.value


async def closed(root: Path) -> bool:
    """Whether the threads of a transfer that ended have closed what they had open."""
    for _ in range(100):
        if descriptors_in(root) == 0:
            return True
        await asyncio.sleep(0.01)
    return False


async def packets(stream: MemoryStream) -> list[Packet]:
    return [Packet.FromString(message) for message in await stream.receive_messages()]


async def listed(stream: MemoryStream) -> list[Packet]:
    """All stats, up to the one without a stat."""
    found: list[Packet] = []
    while not found or found[-1].HasField("stat"):
        found += await packets(stream)
    return found[:-1]


async def test_an_empty_folder(tmp_path: Path) -> None:
    summary, received = await transfer(tmp_path)
    assert summary == SendSummary(walked_folders=1)
    assert received == Received()


async def test_a_tree_of_everything_arrives(tmp_path: Path) -> None:
    make_tree(tmp_path, entries=400)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    summary, received = await transfer(tmp_path)
    links = [stat.path for stat in received.stats if filemode.is_regular(stat.mode) and stat.linkname]
    files = {
        os.fsencode(path.relative_to(tmp_path)): path
        for path in tmp_path.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    expected = {name: path.read_bytes() for name, path in files.items() if name not in links}
    assert received.contents == expected | {b"socket": b""}
    assert len(links) == 2
    assert {(stat.uid, stat.gid) for stat in received.stats} == {(0, 0)}
    assert received.largest_packet == CHUNK
    sent, size = len(received.contents), sum(map(len, received.contents.values()))
    folders = sum(stat.mode & filemode.DIR > 0 for stat in received.stats)
    walked = len(received.stats) - folders
    assert summary == SendSummary(len(received.stats), sent, size, sent, size, walked, folders + 1)


async def test_what_is_sent_can_be_received(tmp_path: Path) -> None:
    """Both halves of this package: there and back without a difference."""
    (tmp_path / "from").mkdir()
    make_tree(tmp_path / "from", entries=300)
    ours, theirs = stream_pair()

    async def sending() -> None:
        await send(ours.receive_messages, ours.send_messages, str(tmp_path / "from"))
        await ours.half_close()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(sending())
        group.create_task(
            receive_tree(
                theirs.receive_messages, theirs.send_messages, str(tmp_path / "to"), keep_privileged=True
            )
        )
    assert describe(tmp_path / "to") == describe(tmp_path / "from")


@pytest.mark.parametrize("size", [0, 1, 127, 128, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1_234_567])
async def test_files_of_any_size(tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(os.urandom(size))
    summary, received = await transfer(tmp_path)
    assert received.contents == {b"f": (tmp_path / "f").read_bytes()}
    assert summary == SendSummary(1, 1, size, 1, size, 1, 1)


async def test_more_entries_than_a_batch_holds(tmp_path: Path) -> None:
    names = [f"{number:05}-{'x' * 100}" for number in range(2 * listing.BATCH_BYTES // 100)]
    for name in names:
        (tmp_path / name).touch()
    _, received = await transfer(tmp_path, limit=1_000)
    assert [path.decode() for path in received.paths] == names
    assert len(received.contents) == len(names)


async def test_requests_are_taken_as_files_are_sent(tmp_path: Path) -> None:
    """So that a receiver which is held back sends many at a time."""
    for number in range(1_000):
        (tmp_path / f"{number:04}").write_bytes(bytes(4_000))
    ours, theirs = stream_pair(limit=200)
    sending = asyncio.create_task(send(ours.receive_messages, ours.send_messages, str(tmp_path)))
    await listed(theirs)
    asked = 0

    async def ask() -> None:
        nonlocal asked
        for number in range(1_000):
            await theirs.send_messages([request(number)])
            asked += 1

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.3)  # nothing is read meanwhile
    assert asked < 600
    ended = 0
    while ended < 1_000:
        ended += sum(not packet.data for packet in await packets(theirs))
    await theirs.send_messages([receiver.FIN])
    assert (await sending).sent_files == 1_000
    await asking


async def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    summary, received = await transfer(tmp_path, wants=lambda stat: stat.path == b"b")
    assert received.contents == {b"b": b"b"}
    assert summary == SendSummary(3, 1, 1, sent_files=1, sent_bytes=1, walked_files=3, walked_folders=1)


async def test_patterns_and_referenced_paths(tmp_path: Path) -> None:
    (tmp_path / "src/lib").mkdir(parents=True)
    for name in ("src/a.c", "src/b.o", "src/lib/c.c", "README", "other"):
        (tmp_path / name).write_text(name)
    (tmp_path / "current").symlink_to("src/lib")
    _, received = await transfer(
        tmp_path, includes=["README"], excludes=["**/*.o"], follow_paths=["current/c.c", "src/a.c"]
    )
    assert received.paths == [b"README", b"current", b"src", b"src/a.c", b"src/lib", b"src/lib/c.c"]


async def test_a_root_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/f").write_text("x")
    (tmp_path / "root").symlink_to("real")
    _, received = await transfer(tmp_path / "root")
    assert received.contents == {b"f": b"x"}


async def test_owners_and_times(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    os.utime(tmp_path / "f", ns=(0, -123_456_789))
    if os.geteuid() == 0:
        os.chown(tmp_path / "f", 4711, 4712)
    _, received = await transfer(tmp_path)
    stat = received.stat("f")
    assert (stat.uid, stat.gid, stat.modTime, stat.size) == (0, 0, -123_456_789, 1)


async def test_progress_only_grows_and_ends_with_the_result(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(b"x" * 100_000)
    seen: list[SendSummary] = []
    summary, _ = await transfer(tmp_path, on_progress=seen.append)
    assert [one.entries for one in seen] == sorted(one.entries for one in seen)
    assert [one.content_bytes for one in seen] == sorted(one.content_bytes for one in seen)
    assert seen[-1] == summary == SendSummary(20, 20, 2_000_000, 20, 2_000_000, 20, 1)


async def test_requests_are_answered_while_stats_still_come(tmp_path: Path) -> None:
    """The receiver takes no more stats until it has the first file: a sender that lists first would hang."""
    for number in range(5_000):
        (tmp_path / f"{number:04}").write_bytes(b"content")
    ours, theirs = stream_pair(limit=2_000)

    async def script() -> int:
        await theirs.send_messages([request(0)])
        stats = 0
        while True:
            for packet in await packets(theirs):
                if packet.type == Packet.PACKET_DATA:
                    return stats
                stats += 1

    playing = asyncio.create_task(script_after_first(theirs, script))
    sending = asyncio.create_task(send(ours.receive_messages, ours.send_messages, str(tmp_path)))
    async with asyncio.timeout(10):
        assert await playing < 5_000
    sending.cancel()
    await asyncio.wait([sending])
    assert await closed(tmp_path)


async def script_after_first(stream: MemoryStream, script: Callable[[], Awaitable[int]]) -> int:
    await packets(stream)
    return await script()


class TestFailures:
    async def fails(
        self, root: Path, change: Callable[[], object], **options: Any
    ) -> tuple[BuildctlError, str]:
        """The errors of both ends when a tree changes between its listing and the requests."""
        told: list[str] = []

        async def script(stream: MemoryStream) -> None:
            stats = await listed(stream)
            change()
            await stream.send_messages(
                request(number) for number, packet in enumerate(stats) if wants_all(packet.stat)
            )
            while not told:
                told.extend(
                    packet.data.decode()
                    for packet in await packets(stream)
                    if packet.type == Packet.PACKET_ERR
                )

        error = await against(root, script, **options)
        assert isinstance(error, TransferError)
        assert told == [str(error)]
        return error, error.hint

    @pytest.mark.parametrize("size", [1, 100, CHUNK, 3 * CHUNK + 7])
    async def test_a_file_that_grows(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "dir" / "f"
        path.parent.mkdir()
        path.write_bytes(b"x" * size)
        error, hint = await self.fails(tmp_path, lambda: path.write_bytes(b"x" * (size + 1)))
        assert str(error) == f"read {path}: file grew while it was sent ({size} bytes announced)"
        assert hint

    @pytest.mark.parametrize("size", [1, 100, CHUNK, 3 * CHUNK + 7])
    async def test_a_file_that_shrinks(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "f"
        path.write_bytes(b"x" * size)
        error, hint = await self.fails(tmp_path, lambda: path.write_bytes(b"x" * (size - 1)))
        assert str(error) == f"read {path}: file shrank while it was sent ({size} bytes announced)"
        assert hint

    async def test_a_file_that_vanishes(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_text("x")
        error, hint = await self.fails(tmp_path, path.unlink)
        assert str(error) == f"open {path}: no such file or directory"
        assert hint

    @pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become another user")
    async def test_a_file_that_cannot_be_opened(self, tmp_path: Path) -> None:
        """The reference sends an empty file in its place."""
        path = tmp_path / "f"
        path.write_text("x")
        path.chmod(0o600)
        for parent in tmp_path.parents[:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)
        tmp_path.chmod(0o755)
        os.seteuid(65534)
        try:
            error, hint = await self.fails(tmp_path, lambda: None)
        finally:
            os.seteuid(0)
        assert str(error) == f"open {path}: permission denied"
        assert ".dockerignore" in hint

    async def test_a_link_in_place_of_a_file_is_not_followed(self, tmp_path: Path) -> None:
        path, secret = tmp_path / "root" / "f", tmp_path / "secret"
        path.parent.mkdir()
        path.write_text("public")
        secret.write_text("secret")

        def swap() -> None:
            path.unlink()
            path.symlink_to(secret)

        error, _ = await self.fails(tmp_path / "root", swap)
        assert str(error).startswith(f"open {path}: ")

    async def test_a_link_in_place_of_its_folder_is_not_followed(self, tmp_path: Path) -> None:
        path, secret = tmp_path / "root" / "dir" / "f", tmp_path / "secret" / "f"
        for file in (path, secret):
            file.parent.mkdir(parents=True)
            file.write_text("secret")

        def swap() -> None:
            path.parent.rename(tmp_path / "gone")
            path.parent.symlink_to(secret.parent)

        error, _ = await self.fails(tmp_path / "root", swap)
        assert str(error) == f"open {path}: not a directory"

    async def test_a_pipe_in_place_of_a_file_does_not_stall(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_text("x")

        def swap() -> None:
            path.unlink()
            os.mkfifo(path)

        error, _ = await self.fails(tmp_path, swap)
        assert str(path) in str(error)

    async def test_no_folder(self, tmp_path: Path) -> None:
        async def script(stream: MemoryStream) -> None:
            assert [packet.type for packet in await packets(stream)] == [Packet.PACKET_ERR]

        error = await against(tmp_path / "missing", script)
        assert isinstance(error, TransferError)
        assert str(error) == f"open {tmp_path / 'missing'}: no such file or directory"
        (tmp_path / "file").touch()
        error = await against(tmp_path / "file", script)
        assert str(error) == f"open {tmp_path / 'file'}: not a directory"

    async def test_a_bad_pattern_tells_the_receiver(self, tmp_path: Path) -> None:
        (tmp_path / "f").touch()
        with pytest.raises(ExceptionGroup) as raised:
            await transfer(tmp_path, excludes=["a["])
        told = raised.group_contains(
            SenderError, match=r"invalid excludepatterns: \[a\[\]: syntax error in pattern"
        )
        assert told or raised.group_contains(TransferError)


class TestReceiverThatBreaksTheRules:
    @pytest.mark.parametrize(
        ("requests", "number"), [([7], 7), ([0, 0], 0), ([1], 1), ([4_294_967_295], 4_294_967_295)]
    )
    async def test_invalid_ids(self, tmp_path: Path, requests: Sequence[int], number: int) -> None:
        """Unknown, asked for twice, or no regular file."""
        (tmp_path / "a").touch()
        (tmp_path / "b").mkdir()

        async def script(stream: MemoryStream) -> None:
            await listed(stream)
            await stream.send_messages(map(request, requests))

        error = await against(tmp_path, script)
        assert isinstance(error, ProtocolError)
        assert str(error) == f"invalid file id {number}"

    async def test_it_gives_up(self, tmp_path: Path) -> None:
        async def script(stream: MemoryStream) -> None:
            packet = Packet(type=Packet.PACKET_ERR, data="kein Platz für\n".encode() + b"\xff")
            await stream.send_messages([packet.SerializeToString()])

        error = await against(tmp_path, script)
        assert isinstance(error, TransferError)
        assert str(error) == "error from receiver: kein Platz für\n\\xff"

    async def test_it_ends_too_soon(self, tmp_path: Path) -> None:
        error = await against(tmp_path, MemoryStream.half_close)
        assert str(error) == "file transfer ended before the receiver had everything"

    async def test_it_sends_no_packets(self, tmp_path: Path) -> None:
        error = await against(tmp_path, lambda stream: stream.send_messages([b"\xff\xff"]))
        assert isinstance(error, ProtocolError)

    async def test_the_call_breaks(self, tmp_path: Path) -> None:
        error = await against(tmp_path, MemoryStream.reset)
        assert isinstance(error, ProtocolError)

    async def test_it_never_reads_and_we_still_end(self, tmp_path: Path) -> None:
        for number in range(200):
            (tmp_path / f"{number}").touch()
        ours, theirs = stream_pair(limit=100)
        await theirs.send_messages([Packet(type=Packet.PACKET_ERR, data=b"no").SerializeToString()])
        async with asyncio.timeout(5):
            with pytest.raises(TransferError, match="error from receiver: no"):
                await send(ours.receive_messages, ours.send_messages, str(tmp_path))


@pytest.mark.parametrize("times", [1, 2])
async def test_cancelling_closes_everything(tmp_path: Path, times: int) -> None:
    for number in range(50):
        (tmp_path / f"{number}").write_bytes(b"x" * 1_000_000)
    ours, theirs = stream_pair(limit=100_000)
    sending = asyncio.create_task(send(ours.receive_messages, ours.send_messages, str(tmp_path)))
    stats = await listed(theirs)
    await theirs.send_messages(request(number) for number in range(len(stats)))
    await packets(theirs)
    for _ in range(times):
        sending.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await closed(tmp_path)


async def test_little_is_held_of_what_the_receiver_does_not_take(tmp_path: Path) -> None:
    """Requests for a gigabyte, and a receiver that takes nothing: no more is read than a few batches."""
    for number in range(16):
        with (tmp_path / f"{number}").open("wb") as file:
            file.truncate(64 << 20)
    ours, theirs = stream_pair(limit=1 << 20)
    handed_over = 0

    async def counting(messages: Iterable[bytes]) -> None:
        nonlocal handed_over
        batch = list(messages)
        handed_over += sum(map(len, batch))
        await ours.send_messages(batch)

    sending = asyncio.create_task(send(ours.receive_messages, counting, str(tmp_path)))
    stats = await listed(theirs)
    await theirs.send_messages(request(number) for number in range(len(stats)))
    await asyncio.sleep(0.3)
    assert 0 < handed_over < 4 << 20
    sending.cancel()
    await asyncio.wait([sending])


async def test_the_event_loop_stays_free(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / f"{folder}").mkdir()
        for number in range(200):
            (tmp_path / f"{folder}" / f"{number}").write_bytes(b"x" * 2_000)
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()  # what this thread has computed, however busy the machine is
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - before)

    watching = asyncio.create_task(watch())
    await transfer(tmp_path)
    watching.cancel()
    assert longest < 0.25
