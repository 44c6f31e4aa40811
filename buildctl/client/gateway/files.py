"""Reading a file system that the daemon holds: of a result, or of a container that runs."""

from __future__ import annotations

import os
import stat as st
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Protocol

from buildctl._pb import fsutil_pb2, gateway_pb2
from buildctl.client.calls import Method, Request, Response
from buildctl.client.convert.text import valid_text
from buildctl.fsutil import filemode
from buildctl.model.filestat import FileStat

PAGE_BYTES = 1 << 22
"""How much of a file is asked for at once: an answer is one message, and those are limited to 16 MiB."""
_LINKS = 40
"""As many as Linux follows for one path."""
_SPECIAL = frozenset("*?[]\\!")

_TYPES = (
    (filemode.DIR, st.S_IFDIR),
    (filemode.SYMLINK, st.S_IFLNK),
    (filemode.NAMED_PIPE, st.S_IFIFO),
    (filemode.SOCKET, st.S_IFSOCK),
    (filemode.CHAR_DEVICE, st.S_IFCHR),
    (filemode.DEVICE, st.S_IFBLK),
)


class Call(Protocol):
    """Makes one call of a build."""

    async def __call__(self, method: Method[Request, Response], request: Request) -> Response: ...


class Files:
    """The calls that read; `ref` is the id of a result or container, `mount` an index of its mounts."""

    def __init__(
        self,
        call: Call,
        ref: str,
        mount: int = 0,
        *,
        read: Method[gateway_pb2.ReadFileRequest, gateway_pb2.ReadFileResponse],
        listing: Method[gateway_pb2.ReadDirRequest, gateway_pb2.ReadDirResponse],
        stat: Method[gateway_pb2.StatFileRequest, gateway_pb2.StatFileResponse],
    ) -> None:
        self._call, self._ref, self._mount = call, ref, mount
        self._read, self._listing, self._stat = read, listing, stat

    async def read_bytes(self, path: str, offset: int = 0, length: int = 0) -> bytes:
        """`length` bytes from `offset` on, or all that follow where it is 0; fewer where the file ends."""
        pieces: list[bytes] = []
        end = offset + length if length else None
        while end is None or offset < end:
            wanted = PAGE_BYTES if end is None else min(PAGE_BYTES, end - offset)
            with valid_text():
                request = gateway_pb2.ReadFileRequest(
                    Ref=self._ref,
                    FilePath=path,
                    Range=gateway_pb2.FileRange(Offset=offset, Length=wanted),
                    MountIndex=self._mount,
                )
            data = (await self._call(self._read, request)).Data
            pieces.append(data)
            offset += len(data)
            if len(data) < wanted:
                break
        return b"".join(pieces)

    async def iterdir(self, path: str, include: str = "") -> list[FileStat]:
        """The entries of one folder by name, of which `include` may choose as a pattern."""
        with valid_text():
            request = gateway_pb2.ReadDirRequest(
                Ref=self._ref, DirPath=path, IncludePattern=include, MountIndex=self._mount
            )
        response = await self._call(self._listing, request)
        return [file_stat(entry) for entry in response.entries]

    async def stat(self, path: str) -> FileStat:
        with valid_text():
            request = gateway_pb2.StatFileRequest(Ref=self._ref, Path=path, MountIndex=self._mount)
        return file_stat((await self._call(self._stat, request)).stat)

    async def resolve(self, path: str) -> str | None:
        """Where a path leads, links followed, or None; by listing, for errors say it in words alone."""
        parts = deque(part for part in path.split("/") if part not in ("", "."))
        folder: list[str] = []
        links = 0
        while parts:
            part = parts.popleft()
            if part in ("", "."):
                continue
            if part == "..":
                folder = folder[:-1]
                continue
            entry = await self._entry("/" + "/".join(folder), part)
            if entry is None:
                return None
            if entry.is_symlink:
                links += 1
                if links > _LINKS:
                    return None
                if entry.link.startswith("/"):
                    folder = []
                parts.extendleft(reversed(entry.link.split("/")))
            elif entry.is_dir:
                folder.append(part)
            else:
                return None if parts else "/" + "/".join([*folder, part])
        return "/" + "/".join(folder)

    async def _entry(self, folder: str, name: str) -> FileStat | None:
        pattern = "" if _SPECIAL & set(name) else name
        return next((one for one in await self.iterdir(folder, pattern) if one.name == name), None)

    async def walk(self, path: str) -> AsyncGenerator[FileStat, None]:
        """All below a folder, each folder before what is in it; `FileStat.path` is from `path` on."""
        waiting = deque([""])
        while waiting:
            below = waiting.popleft()
            entries = await self.iterdir(os.path.join(path, below) if below else path)
            folders = []
            for entry in entries:
                full = f"{below}/{entry.path}" if below else entry.path
                yield replace(entry, path=full)
                if entry.is_dir:
                    folders.append(full)
            waiting.extendleft(reversed(folders))


def file_stat(message: fsutil_pb2.Stat) -> FileStat:
    """fsutil's Stat, whose mode is Go's, as the kernel puts it."""
    kind = next((kind for bit, kind in _TYPES if message.mode & bit), st.S_IFREG)
    return FileStat(
        path=os.fsdecode(message.path),
        mode=kind | filemode.permissions(message.mode),
        size=message.size,
        uid=message.uid,
        gid=message.gid,
        mtime_ns=message.modTime,
        link=os.fsdecode(message.linkname) if message.mode & filemode.SYMLINK else "",
        devmajor=message.devmajor,
        devminor=message.devminor,
        xattrs={os.fsdecode(xattr.key): xattr.value for xattr in message.xattrs} if message.xattrs else {},
    )
