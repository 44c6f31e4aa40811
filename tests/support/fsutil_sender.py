"""A sender of file transfer that works as fsutil's does: four files at a time, 32 KiB at a time."""

from __future__ import annotations

import asyncio
import os
import stat as st
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from buildctl._pb.fsutil_pb2 import Packet, Stat, Xattr
from buildctl.fsutil import filemode
from tests.support.streams import MessageStream

CHUNK = 32 * 1024
WORKERS = 4
MTIME = 1_500_000_000_123_456_789


class ReceiverError(Exception):
    """The receiver sent ERR."""


@dataclass
class Entry:
    """A stat, and the content that is sent when it is asked for."""

    path: str | bytes
    mode: int = 0o644
    content: bytes = b""
    mtime: int = MTIME
    linkname: str | bytes = b""
    devmajor: int = 0
    devminor: int = 0
    uid: int = 4711
    gid: int = 4711
    xattrs: Mapping[bytes, bytes] = field(default_factory=dict)

    def stat(self) -> Stat:
        return Stat(
            path=os.fsencode(self.path),
            mode=self.mode,
            uid=self.uid,
            gid=self.gid,
            size=len(self.content),
            modTime=self.mtime,
            linkname=os.fsencode(self.linkname),
            devmajor=self.devmajor,
            devminor=self.devminor,
            xattrs=[Xattr(key=key, value=value) for key, value in self.xattrs.items()],
        )


def directory(path: str | bytes, mode: int = 0o755, *, mtime: int = MTIME) -> Entry:
    return Entry(path, filemode.DIR | mode, mtime=mtime)


def symlink(path: str | bytes, target: str | bytes) -> Entry:
    return Entry(path, filemode.SYMLINK | 0o777, linkname=target)


def stat_packet(entry: Entry) -> bytes:
    return Packet(type=Packet.PACKET_STAT, stat=entry.stat()).SerializeToString()


def data_packet(number: int, data: bytes = b"") -> bytes:
    return Packet(type=Packet.PACKET_DATA, ID=number, data=data).SerializeToString()


END_OF_LIST = Packet(type=Packet.PACKET_STAT).SerializeToString()
FIN = Packet(type=Packet.PACKET_FIN).SerializeToString()


async def send(stream: MessageStream, entries: Sequence[Entry]) -> list[int]:
    """Send a tree and return the ids in the order they were asked for. Raises `ReceiverError`."""
    queue: asyncio.Queue[int] = asyncio.Queue(128)  # as deep as fsutil's: past it, requests are not read
    requested: list[int] = []

    async def list_entries() -> None:
        for entry in entries:
            await stream.send_messages([stat_packet(entry)])
        await stream.send_messages([END_OF_LIST])

    async def send_content() -> None:
        while True:
            number = await queue.get()
            content = entries[number].content
            for start in range(0, len(content), CHUNK):
                await stream.send_messages([data_packet(number, content[start : start + CHUNK])])
            await stream.send_messages([data_packet(number)])

    async def read() -> None:
        while messages := await stream.receive_messages():
            for message in messages:
                packet = Packet.FromString(message)
                match packet.type:
                    case Packet.PACKET_REQ:
                        if packet.ID in requested or not filemode.is_regular(entries[packet.ID].mode):
                            raise ReceiverError(f"invalid file id {packet.ID}")
                        requested.append(packet.ID)
                        await queue.put(packet.ID)
                    case Packet.PACKET_ERR:
                        raise ReceiverError(packet.data.decode())
                    case Packet.PACKET_FIN:
                        await stream.send_messages([FIN])
                        return

    background = [asyncio.create_task(list_entries())]
    background += [asyncio.create_task(send_content()) for _ in range(WORKERS)]
    try:
        await read()
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
    return requested


@dataclass(frozen=True)
class Found:
    """What lies at a path, as far as a transfer decides it."""

    kind: str
    permissions: int
    mtime: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def tree(root: Path) -> dict[bytes, Found]:
    """Everything below a directory, by path."""
    found = {}
    for parent, directories, files in os.walk(os.fsencode(root)):
        for name in (*directories, *files):
            path = os.path.join(parent, name)
            status = os.lstat(path)
            kind = stat_kind(status.st_mode)
            content = b""
            if kind == "file":
                with open(path, "rb") as file:
                    content = file.read()
            elif kind == "symlink":
                content = os.readlink(path)
            device = (os.major(status.st_rdev), os.minor(status.st_rdev))
            relative = os.path.relpath(path, os.fsencode(root))
            found[relative] = Found(kind, st.S_IMODE(status.st_mode), status.st_mtime_ns, content, device)
    return found


def expected(entries: Sequence[Entry]) -> dict[bytes, Found]:
    """What a tree of entries becomes on disk, by the reference's rules."""
    by_path = {os.fsencode(entry.path): entry for entry in entries}
    found = {}
    for path, entry in by_path.items():
        source = entry
        kind = go_kind(entry.mode)
        if kind == "file" and entry.linkname:
            source = by_path[os.fsencode(entry.linkname)]
            kind = go_kind(source.mode)
        content = os.fsencode(entry.linkname) if kind == "symlink" else source.content
        permissions = 0o777 if kind == "symlink" else filemode.permissions(source.mode)
        device = (entry.devmajor, entry.devminor) if kind in ("block", "char") else (0, 0)
        found[path] = Found(kind, permissions, source.mtime, content, device)
    return found


def stat_kind(mode: int) -> str:
    kinds = {st.S_IFREG: "file", st.S_IFDIR: "dir", st.S_IFLNK: "symlink", st.S_IFIFO: "fifo"}
    kinds |= {st.S_IFBLK: "block", st.S_IFCHR: "char", st.S_IFSOCK: "socket"}
    return kinds[st.S_IFMT(mode)]


def go_kind(mode: int) -> str:
    if mode & filemode.DIR:
        return "dir"
    if mode & filemode.CHAR_DEVICE:
        return "char"
    if mode & filemode.DEVICE:
        return "block"
    if mode & filemode.NAMED_PIPE:
        return "fifo"
    return "symlink" if mode & filemode.SYMLINK else "file"
