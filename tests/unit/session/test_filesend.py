from __future__ import annotations

import asyncio
import os
import stat as st
import threading
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb.filesync_pb2 import BytesMessage
from buildctl._pb.fsutil_pb2 import Packet
from buildctl.errors import Code, ProtocolError, ServiceError, TransferError
from buildctl.fsutil import filemode
from buildctl.model.solve import (
    Destination,
    DirectoryDestination,
    Export,
    FileDestination,
    LayoutDestination,
    StdoutDestination,
)
from buildctl.session.filesend import DIFF_COPY_PATH, FileSend
from tests.support.fsutil_sender import (
    END_OF_LIST,
    FIN,
    Entry,
    data_packet,
    directory,
    expected,
    send,
    stat_packet,
    tree,
)
from tests.support.mounts import small_tmpfs
from tests.support.streams import MemoryStream, stream_pair

ENTRIES = [directory("a"), Entry("a/file", content=b"x" * 100_000), Entry("b", content=b"b")]
CONTENT = os.urandom(1_000_003)


def service(*destinations: Destination | None, **more: Any) -> FileSend:
    return FileSend([Export("any", destination=destination) for destination in destinations], **more)


def for_exporter(number: object, **metadata: str) -> tuple[tuple[str, str], ...]:
    extra = ((key.replace("_", "-"), value) for key, value in metadata.items())
    return (("buildkit-attachable-exporter-id", str(number)), *extra)


async def call(served: FileSend, stream: MemoryStream) -> None:
    await served.methods[DIFF_COPY_PATH](stream)


async def send_bytes(stream: MemoryStream, content: bytes, *, chunk: int = 32 * 1024) -> None:
    for start in range(0, len(content), chunk):
        await stream.send_messages([BytesMessage(data=content[start : start + chunk]).SerializeToString()])
    await stream.half_close()


async def deliver(served: FileSend, content: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> None:
    server, client = stream_pair(metadata, limit=100_000)
    await asyncio.gather(call(served, server), send_bytes(client, content))


async def deliver_tree(served: FileSend, metadata: tuple[tuple[str, str], ...] = ()) -> None:
    server, client = stream_pair(metadata)
    await asyncio.gather(call(served, server), send(client, ENTRIES))


async def refused(served: FileSend, metadata: tuple[tuple[str, str], ...] = ()) -> ServiceError:
    server, client = stream_pair(metadata)
    await client.half_close()
    with pytest.raises(ServiceError) as caught:
        await call(served, server)
    return caught.value


class TestChoice:
    async def test_each_export_has_its_place(self, tmp_path: Path) -> None:
        served = service(
            None, FileDestination(str(tmp_path / "tar")), DirectoryDestination(str(tmp_path / "dir"))
        )
        await deliver_tree(served, for_exporter(2))
        await deliver(served, CONTENT, for_exporter(1))
        assert (tmp_path / "tar").read_bytes() == CONTENT
        assert tree(tmp_path / "dir") == expected(ENTRIES)

    @pytest.mark.parametrize(
        "metadata", [(), for_exporter(""), for_exporter("x"), for_exporter(" 0"), for_exporter("1" * 30)]
    )
    async def test_without_a_number_it_is_the_first(
        self, tmp_path: Path, metadata: tuple[tuple[str, str], ...]
    ) -> None:
        await deliver(service(FileDestination(str(tmp_path / "tar"))), CONTENT, metadata)
        assert (tmp_path / "tar").read_bytes() == CONTENT

    @pytest.mark.parametrize("number", [1, -1, 7])
    async def test_an_unknown_number_is_refused(self, tmp_path: Path, number: int) -> None:
        error = await refused(service(FileDestination(str(tmp_path / "tar"))), for_exporter(number))
        assert (error.code, error.message) == (Code.UNKNOWN, f"exporter {number} not found")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("destination", [None, LayoutDestination("layout")])
    async def test_what_does_not_land_here_is_refused(self, destination: Destination | None) -> None:
        error = await refused(service(destination))
        assert (error.code, error.message) == (Code.UNKNOWN, "exporter 0 not found")

    async def test_what_the_daemon_says_of_an_export_is_kept(self, tmp_path: Path) -> None:
        served = service(FileDestination(str(tmp_path / "tar")))
        assert served.metadata == {}
        keys = (("exporter-md-a.b", "1"), ("other", "x"), ("exporter-md-c", "2"), ("exporter-md-a.b", "3"))
        await deliver(served, b"", keys)
        assert served.metadata == {0: {"a.b": "1,3", "c": "2"}}


class TestWhatIsSaid:
    """What an export leaves out is told, even if the daemon ends the build with the last message."""

    PRIVILEGED = (
        Entry("dev", filemode.DEVICE | filemode.CHAR_DEVICE | 0o666, devmajor=1, devminor=3),
        Entry("su", filemode.SETUID | 0o755),
    )
    WARNING = "left out 1 device and took set-id bits or capabilities from 1 file"

    async def test_a_call_that_is_cancelled_at_its_end(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        server, client = stream_pair(for_exporter(0))
        running = asyncio.create_task(call(service(DirectoryDestination(str(tmp_path / "d"))), server))
        await client.send_messages([*map(stat_packet, self.PRIVILEGED), END_OF_LIST])
        while FIN not in (messages := await client.receive_messages()):
            for message in messages:
                await client.send_messages([data_packet(Packet.FromString(message).ID)])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        assert [record.getMessage().partition("; ")[0] for record in caplog.records] == [
            f"{tmp_path}/d: {self.WARNING}"
        ]

    async def test_a_call_that_comes_to_its_end(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        server, client = stream_pair(for_exporter(0))
        served = service(DirectoryDestination(str(tmp_path / "d")))
        await asyncio.gather(call(served, server), send(client, self.PRIVILEGED))
        assert len(caplog.records) == 1


class TestAccount:
    async def test_what_was_not_delivered_is_known(self, tmp_path: Path) -> None:
        served = service(FileDestination(str(tmp_path / "a")), None, FileDestination(str(tmp_path / "b")))
        assert len(served.missing) == 2
        await deliver(served, b"x")
        assert [export.destination for export in served.missing] == [FileDestination(str(tmp_path / "b"))]

    async def test_a_file_can_be_written_again_and_a_pipe_cannot(self, tmp_path: Path) -> None:
        file = service(FileDestination(str(tmp_path / "a")))
        await deliver(file, b"x")
        assert not file.has_spilled
        for destination in (FileDestination("/dev/null"), StdoutDestination()):
            with Path("/dev/null").open("wb") as null:
                served = service(destination, stdout=null.fileno())
                await deliver(served, b"")
                assert not served.has_spilled
                served = service(destination, stdout=null.fileno())
                await deliver(served, b"x")
                assert served.has_spilled


class TestDirectory:
    async def test_a_daemon_may_send_each_platform_by_itself(self, tmp_path: Path) -> None:
        served = service(DirectoryDestination(str(tmp_path)))
        await asyncio.gather(deliver_tree(served), deliver_tree(served))
        assert tree(tmp_path) == expected(ENTRIES)

    @pytest.mark.parametrize("mode", ["delete", " DELETE "])
    async def test_delete_removes_what_was_not_sent(self, tmp_path: Path, mode: str) -> None:
        (tmp_path / "old").write_text("old")
        served = FileSend([Export("local", {"mode": mode}, DirectoryDestination(str(tmp_path)))])
        await deliver_tree(served, for_exporter(0, buildkit_exporter_multi_platform="1"))
        assert tree(tmp_path) == expected(ENTRIES)

    @pytest.mark.parametrize("metadata", [(), for_exporter(0, buildkit_exporter_multi_platform="0")])
    async def test_delete_is_refused_to_a_daemon_that_sends_platforms_apart(
        self, tmp_path: Path, metadata: tuple[tuple[str, str], ...]
    ) -> None:
        out = tmp_path / "out"
        served = FileSend([Export("local", {"mode": "delete"}, DirectoryDestination(str(out)))])
        error = await refused(served, metadata)
        text = (
            "local exporter mode=delete requires a BuildKit daemon with multi-platform local export support"
        )
        assert error.message == text
        assert not out.exists()


class TestFile:
    async def test_appears_when_it_is_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "tar"
        path.write_text("old")
        path.chmod(0o600)
        server, client = stream_pair()
        serving = asyncio.create_task(call(service(FileDestination(str(path))), server))
        await client.send_messages([BytesMessage(data=b"new").SerializeToString()])
        await until_there(tmp_path, ".tmp.")
        assert path.read_text() == "old"
        before = os.umask(0)
        try:
            await client.half_close()
            await serving
            await deliver(service(FileDestination(str(tmp_path / "fresh"))), b"new")
        finally:
            os.umask(before)
        assert path.read_text() == "new"
        assert st.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o666
        assert sorted(os.listdir(tmp_path)) == ["fresh", "tar"]

    async def test_may_be_empty(self, tmp_path: Path) -> None:
        await deliver(service(FileDestination(str(tmp_path / "tar"))), b"")
        assert (tmp_path / "tar").read_bytes() == b""

    async def test_is_delivered_once(self, tmp_path: Path) -> None:
        served = service(FileDestination(str(tmp_path / "tar")))
        await deliver(served, b"one")
        error = await refused(served)
        assert (error.code, error.message) == (Code.ALREADY_EXISTS, "target already exists")
        assert (tmp_path / "tar").read_bytes() == b"one"

    async def test_a_link_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "tar").symlink_to("sub/real")
        await deliver(service(FileDestination(str(tmp_path / "tar"))), b"new")
        assert (tmp_path / "tar").is_symlink()
        assert (tmp_path / "sub" / "real").read_bytes() == b"new"

    async def test_what_is_no_file_is_written_in_place(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        reader = asyncio.create_task(asyncio.to_thread((tmp_path / "pipe").read_bytes))
        await deliver(service(FileDestination(str(tmp_path / "pipe"))), CONTENT)
        assert await reader == CONTENT
        await deliver(service(FileDestination("/dev/null")), CONTENT)
        assert st.S_ISCHR(os.stat("/dev/null").st_mode)
        assert os.listdir(tmp_path) == ["pipe"]

    @pytest.mark.parametrize("ending", ["reset", "cancel", "garbage"])
    async def test_half_of_it_does_not_stay(self, tmp_path: Path, ending: str) -> None:
        (tmp_path / "tar").write_text("old")
        server, client = stream_pair()
        serving = asyncio.create_task(call(service(FileDestination(str(tmp_path / "tar"))), server))
        await client.send_messages([BytesMessage(data=b"half").SerializeToString()])
        await until_there(tmp_path, ".tmp.")
        if ending == "reset":
            await client.reset()
        elif ending == "cancel":
            serving.cancel()
        else:
            await client.send_messages([b"\xff"])
        with pytest.raises((ProtocolError, asyncio.CancelledError)):
            await serving
        assert os.listdir(tmp_path) == ["tar"]
        assert (tmp_path / "tar").read_text() == "old"

    async def test_where_it_cannot_be_written(self, tmp_path: Path) -> None:
        for path, text in (
            (tmp_path, f"failed to create {tmp_path}: is a directory"),
            (tmp_path / "no" / "tar", f"failed to create {tmp_path}/no/tar: no such file or directory"),
        ):
            server, client = stream_pair()
            await client.half_close()
            with pytest.raises(TransferError) as caught:
                await call(service(FileDestination(str(path))), server)
            assert str(caught.value) == text
            assert caught.value.hint

    @pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
    async def test_the_disk_is_full(self, tmp_path: Path) -> None:
        with small_tmpfs(tmp_path / "small", 1 << 20) as small:
            server, client = stream_pair(limit=1 << 22)
            sending = asyncio.create_task(send_bytes(client, os.urandom(2 << 20)))
            with pytest.raises(TransferError, match="failed to write .*/tar: no space left on device"):
                await call(service(FileDestination(str(small / "tar"))), server)
            await sending
            assert os.listdir(small) == []


class TestStdout:
    async def test_gets_the_bytes_and_stays_open(self, tmp_path: Path) -> None:
        reading, writing = os.pipe()
        with open(reading, "rb") as reader, open(writing, "wb", buffering=0) as writer:
            collected = asyncio.create_task(asyncio.to_thread(reader.read, len(CONTENT)))
            await deliver(service(StdoutDestination(), stdout=writer.fileno()), CONTENT)
            assert await collected == CONTENT
            writer.write(b"still open")
            assert reader.read(10) == b"still open"

    async def test_may_be_non_blocking(self) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with open(reading, "rb") as reader, open(writing, "wb", buffering=0) as writer:
            collected = asyncio.create_task(asyncio.to_thread(reader.read, len(CONTENT)))
            await deliver(service(StdoutDestination(), stdout=writer.fileno()), CONTENT)
            assert await collected == CONTENT

    async def test_a_reader_that_left_is_an_error(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb", buffering=0) as writer:
            server, client = stream_pair()
            await client.send_messages([BytesMessage(data=b"x").SerializeToString()])
            with pytest.raises(TransferError) as caught:
                await call(service(StdoutDestination(), stdout=writer.fileno()), server)
        assert str(caught.value) == "failed to write to standard output: broken pipe"
        assert caught.value.hint == "what reads the output ended before it was complete"

    async def test_a_reader_that_does_not_read_holds_back_the_daemon_and_not_a_cancellation(self) -> None:
        reading, writing = os.pipe()
        with open(reading, "rb") as reader, open(writing, "wb", buffering=0) as writer:
            server, client = stream_pair(limit=100_000)
            serving = asyncio.create_task(call(service(StdoutDestination(), stdout=writer.fileno()), server))
            sending = asyncio.create_task(send_bytes(client, CONTENT))
            await asyncio.sleep(0.2)
            assert not sending.done()
            serving.cancel()
            started = asyncio.get_running_loop().time()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert asyncio.get_running_loop().time() - started < 1.5
            sending.cancel()
            reader.close()
            async with asyncio.timeout(10):  # the descriptor is the worker's until its write has failed
                while any(thread.name == "export" for thread in threading.enumerate()):
                    await asyncio.sleep(0.005)


async def until_there(folder: Path, prefix: str) -> None:
    async with asyncio.timeout(10):
        while not any(name.startswith(prefix) for name in os.listdir(folder)):
            await asyncio.sleep(0.005)
