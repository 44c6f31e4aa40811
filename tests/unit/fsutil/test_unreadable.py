"""Files and folders that cannot be read: an error, left out, or sent empty, and always named."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from buildctl._pb.fsutil_pb2 import Packet, Stat
from buildctl.errors import TransferError
from buildctl.fsutil.send import send
from buildctl.fsutil.unreadable import Policy, Unreadable
from tests.support import fsutil_receiver as receiver
from tests.support.fsutil_receiver import Received, request, wants_all
from tests.support.slow_disk import NAME, needs_fuse, slow_disk
from tests.support.streams import stream_pair
from tests.support.users import nobody

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become another user")


async def transfer(
    root: Path,
    unreadable: Unreadable | None,
    wants: Callable[[Stat], bool] = wants_all,
    includes: tuple[str, ...] = (),
) -> Received:
    ours, theirs = stream_pair()
    receiving = asyncio.create_task(receiver.receive(theirs, wants))
    try:
        async with asyncio.timeout(10):
            await send(
                ours.receive_messages,
                ours.send_messages,
                str(root),
                includes=includes,
                unreadable=unreadable,
            )
            return await receiving
    finally:
        receiving.cancel()
        await asyncio.wait([receiving])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with a file, two names of one file, and three folders that nobody may read."""
    root = tmp_path / "root"
    for name in ("a", "file", "folder/x", "fine/y", "listed/z", "zwei/one"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
        (root / name).chmod(0o644)
    os.link(root / "zwei/one", root / "zwei/two")
    for name in ("fine", "zwei"):
        (root / name).chmod(0o755)
    for name in ("file", "folder", "zwei/one"):
        (root / name).chmod(0o600)
    (root / "listed").chmod(0o744)
    (root / "link").symlink_to("file")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    return root


UNREADABLE = (b"file", b"folder", b"listed", b"zwei/one", b"zwei/two")


@needs_root
async def test_what_can_be_read_is_not_touched(root: Path) -> None:
    everything = await transfer(root, None)
    for policy in ("skip", "empty"):
        unreadable = Unreadable(policy)
        assert await transfer(root, unreadable) == everything
        assert unreadable.paths == ()


@needs_root
@pytest.mark.parametrize("name", ["file", "folder", "listed", "zwei/one"])
async def test_an_error_names_it(root: Path, name: str) -> None:
    with nobody(root), pytest.raises(TransferError) as raised:
        await transfer(root, None, includes=(name,))
    assert str(raised.value).endswith(": permission denied")
    assert str(root / name) in str(raised.value)
    assert ".dockerignore" in raised.value.hint


@needs_root
async def test_left_out(root: Path) -> None:
    unreadable = Unreadable("skip")
    with nobody(root):
        received = await transfer(root, unreadable)
    assert received.paths == [b"a", b"fine", b"fine/y", b"link", b"socket", b"zwei"]
    assert received.contents == {b"a": b"a", b"fine/y": b"fine/y", b"socket": b""}
    assert unreadable.paths == UNREADABLE


@needs_root
async def test_sent_empty(root: Path) -> None:
    unreadable = Unreadable("empty")
    with nobody(root):
        received = await transfer(root, unreadable)
    expected = [b"a", b"file", b"fine", b"fine/y", b"folder", b"link", b"listed", b"socket", b"zwei"]
    assert received.paths == [*expected, b"zwei/one", b"zwei/two"]
    assert received.contents[b"file"] == received.contents[b"zwei/one"] == b""
    assert received.stat("file").size == received.stat("zwei/one").size == 0
    assert received.stat("fine/y").size == len("fine/y")
    assert unreadable.paths == UNREADABLE


@needs_root
@pytest.mark.parametrize("policy", ["skip", "empty"])
async def test_an_unreadable_root_is_an_error(policy: Policy, root: Path) -> None:
    with nobody(root):
        pass
    root.chmod(0o711)
    os.seteuid(65534)
    try:
        with pytest.raises(TransferError, match=f"open {root}: permission denied"):
            await transfer(root, Unreadable(policy))
    finally:
        os.seteuid(0)


async def changed(root: Path, unreadable: Unreadable | None, change: Callable[[], object]) -> bytes:
    """What is received of the one file of a tree that changes after its listing."""
    ours, theirs = stream_pair()
    sending = asyncio.create_task(
        send(ours.receive_messages, ours.send_messages, str(root), unreadable=unreadable)
    )
    content = bytearray()
    async with asyncio.timeout(10):
        while not any(
            not Packet.FromString(message).HasField("stat") for message in await theirs.receive_messages()
        ):
            pass
        change()
        await theirs.send_messages([request(0)])
        ended = False
        while not ended and not sending.done():
            for message in await theirs.receive_messages():
                packet = Packet.FromString(message)
                content += packet.data if packet.type == Packet.PACKET_DATA else b""
                ended = packet.type == Packet.PACKET_ERR or not packet.data
        await theirs.send_messages([receiver.FIN])
        await sending
    return bytes(content)


def _vanish(path: Path) -> None:
    path.unlink()


def _become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _grow(path: Path) -> None:
    path.write_text("longer than before")


@pytest.mark.parametrize("policy", [None, "skip"])
@pytest.mark.parametrize("change", [_vanish, _become_link, _become_folder, _become_pipe, _grow])
async def test_what_was_announced_cannot_be_taken_back(
    change: Callable[[Path], None], policy: Policy | None, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    path.write_text("content")
    with pytest.raises(TransferError) as raised:
        await changed(tmp_path, Unreadable(policy) if policy else None, lambda: change(path))
    assert str(path) in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize("change", [_vanish, _become_link, _become_folder])
async def test_but_it_can_be_sent_empty(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("content")
    unreadable = Unreadable("empty")
    assert await changed(tmp_path, unreadable, lambda: change(path)) == b""
    assert unreadable.paths == (b"f",)


@pytest.mark.parametrize("change", [_become_pipe, _grow])
async def test_a_change_of_size_is_an_error_even_then(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("content")
    with pytest.raises(TransferError, match=f"read {path}: file (grew|shrank)"):
        await changed(tmp_path, Unreadable("empty"), lambda: change(path))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux alone")
async def test_a_file_that_opens_and_cannot_be_read() -> None:
    root = Path("/proc/self")
    for policy in (None, "skip"):
        with pytest.raises(TransferError, match="read /proc/self/mem: input/output error") as raised:
            await transfer(root, Unreadable(policy) if policy else None, includes=("mem",))
        assert "disk" in raised.value.hint
    unreadable = Unreadable("empty")
    received = await transfer(root, unreadable, includes=("mem",))
    assert received.contents == {b"mem": b""}
    assert unreadable.paths == (b"mem",)


async def test_a_lack_of_descriptors_is_no_excuse(tmp_path: Path) -> None:
    for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        error = OSError(number, os.strerror(number))
        assert not Unreadable("empty").sends_empty(b"f", error)
        assert not Unreadable("skip").left_out(b"f", error)


@needs_fuse
@pytest.mark.parametrize("policy", [None, "skip", "empty"])
async def test_a_disk_that_breaks_in_the_middle_of_a_file(tmp_path: Path, policy: Policy | None) -> None:
    """What has been sent of it cannot be taken back, so that it fails whatever the policy is."""
    with slow_disk(tmp_path / "disk", 1 << 20, broken_at=600 << 10) as disk:
        with pytest.raises(TransferError) as caught:
            await transfer(disk, Unreadable(policy) if policy else None)
        assert f"read {disk / NAME}: input/output error" in str(caught.value)


@needs_fuse
async def test_a_disk_that_breaks_before_anything_is_read(tmp_path: Path) -> None:
    with slow_disk(tmp_path / "disk", 1 << 20, broken_at=0) as disk:
        for policy in (None, Unreadable("skip")):
            with pytest.raises(TransferError) as caught:
                await transfer(disk, policy)
            assert f"read {disk / NAME}: input/output error" in str(caught.value)
        empty = Unreadable("empty")
        received = await transfer(disk, empty)
        assert received.contents == {NAME.encode(): b""}
        assert empty.paths == (NAME.encode(),)
