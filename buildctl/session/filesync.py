"""Offers local directories to the daemon: `moby.filesync.v1.FileSync` (session/filesync of the reference)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from buildctl.errors import Code, ServiceError
from buildctl.fsutil import ignorefile
from buildctl.fsutil.announced import Recorder, Selection
from buildctl.fsutil.rooted import lost_link
from buildctl.fsutil.send import SendSummary, send
from buildctl.fsutil.unreadable import Unreadable
from buildctl.fsutil.validator import quoted
from buildctl.model.context import Tree
from buildctl.model.sessionrequest import SessionRequest
from buildctl.model.solve import OnUnreadable
from buildctl.model.transfer import Transfer
from buildctl.session.metadata import value, values
from buildctl.session.observed import RequestSink
from buildctl.session.stream import Handler, ServerStream
from buildctl.system.detached import detached

if TYPE_CHECKING:
    from buildctl.fsutil.watcher import Watcher


_SERVICE = "moby.filesync.v1.FileSync"
MAX_TRANSFERS = 4
"""Folders that are sent at a time: each has a thread and up to 130 descriptors. Others wait."""

Watch: TypeAlias = Callable[[str], "Watcher | None"]
"""Gives what sees the transfer of a directory, by its path."""


class FileSync:
    """Sends the directories that were offered, by the names they were offered under, and no other."""

    def __init__(
        self,
        local_dirs: Mapping[str, str | Tree],
        *,
        on_unreadable: OnUnreadable = "error",
        watch: Watch | None = None,
        records: str = "",
        on_transfer: Callable[[Transfer], None] | None = None,
        on_request: RequestSink | None = None,
    ) -> None:
        """`local_dirs` are paths or trees by local name; `watch` gives what sees the transfer of a path.

        In the folder `records`, if there is one, it is kept what was announced of each directory.
        `on_transfer` is told of each transfer when it ends, `on_request` of each file that is asked for.
        """
        self._local_dirs = dict(local_dirs)
        self._on_unreadable = on_unreadable
        self._watch = watch
        self._records = records
        self._on_transfer = on_transfer
        self._on_request = on_request
        self._turns = asyncio.Semaphore(MAX_TRANSFERS)

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            f"/{_SERVICE}/DiffCopy": self._diff_copy,
            f"/{_SERVICE}/TarStream": self._tar_stream,
        }

    async def _diff_copy(self, stream: ServerStream) -> None:
        name = value(stream.metadata, "dir-name")
        root = self._local_dirs.get(name)
        if root is None:
            message = f"no access allowed to dir {quoted(name.encode('utf-8', 'surrogateescape'))}"
            raise ServiceError(Code.NOT_FOUND, f"rpc error: code = NotFound desc = {message}")
        stream.narrow()
        async with self._turns:
            await self._send(name, root, stream)

    async def _send(self, name: str, root: str | Tree, stream: ServerStream) -> None:
        clock = asyncio.get_running_loop().time
        unreadable = None if self._on_unreadable == "error" else Unreadable(self._on_unreadable)
        began, summary, complete = clock(), SendSummary(), False
        lost: tuple[tuple[str, str], ...] = ()

        def note(so_far: SendSummary) -> None:
            nonlocal summary
            summary = so_far

        moved = 0

        async def send_messages(messages: Iterable[bytes]) -> None:
            nonlocal moved
            messages = list(messages)
            moved += sum(map(len, messages))
            await stream.send_messages(messages)

        selection = Selection(
            includes=values(stream.metadata, "include-patterns"),
            excludes=values(stream.metadata, "exclude-patterns"),
            follow_paths=values(stream.metadata, "followpaths"),
        )
        try:
            lost = await self._lost_ignore_files(root, selection) if self._on_transfer else ()
            await send(
                stream.receive_messages,
                send_messages,
                root,
                includes=selection.includes,
                excludes=selection.excludes,
                follow_paths=selection.follow_paths,
                unreadable=unreadable,
                watcher=self._watch(root) if self._watch and isinstance(root, str) else None,
                recorder=self._recorder(name, root, selection),
                on_progress=note,
                on_request=partial(self._tell, name) if self._on_request else None,
            )
            complete = True
        finally:
            if self._on_transfer:
                transfer = _transfer(name, summary, began, clock() - began, complete=complete)
                transfer = transfer._replace(bytes_moved=moved)
                paths = map(os.fsdecode, unreadable.paths if unreadable else ())
                self._on_transfer(transfer._replace(unreadable=tuple(paths), lost_ignore_files=lost))

    async def _lost_ignore_files(self, root: str | Tree, selection: Selection) -> tuple[tuple[str, str], ...]:
        asked = [path for path in selection.follow_paths if path.endswith(ignorefile.SUFFIX)]
        if not asked or isinstance(root, Tree):
            return ()
        targets = await detached(lambda: [lost_link(root, path) for path in asked])
        return tuple((path, target) for path, target in zip(asked, targets, strict=True) if target)

    def _recorder(self, name: str, root: str | Tree, selection: Selection) -> Recorder | None:
        """None for what frontends ask for only to learn the rules of the transfer that follows."""
        if isinstance(root, Tree) or not self._records or list(selection.follow_paths) == [ignorefile.SUFFIX]:
            return None
        return Recorder(self._records, root, name, selection)

    def _tell(self, name: str, path: bytes, size: int) -> None:
        assert self._on_request is not None
        asked = {"local": name, "path": os.fsdecode(path)}
        self._on_request(SessionRequest(_SERVICE, "DiffCopy", asked, "requested", sent_bytes=size))

    async def _tar_stream(self, stream: ServerStream) -> None:
        """Listed by the reference, and refused by it, since the daemon's first versions."""
        raise ServiceError(Code.UNKNOWN, "failed to negotiate protocol")


def _transfer(name: str, summary: SendSummary, began: float, took: float, *, complete: bool) -> Transfer:
    return Transfer(
        name,
        files_walked=summary.walked_files,
        folders_walked=summary.walked_folders,
        entries=summary.entries,
        files_requested=summary.files,
        files_sent=summary.sent_files,
        bytes_sent=summary.sent_bytes,
        began=began,
        took=took,
        uniform_times=summary.uniform_times,
        complete=complete,
        odd_times=tuple(map(os.fsdecode, summary.odd_times)),
    )
