"""Offers local directories to the daemon: `moby.filesync.v1.FileSync` (session/filesync of the reference)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from buildctl.errors import Code, ServiceError
from buildctl.fsutil.send import SendSummary, send
from buildctl.fsutil.validator import quoted
from buildctl.session.metadata import value, values
from buildctl.session.stream import Handler, ServerStream


class FileSync:
    """Sends the directories that were offered, by the names they were offered under, and no other."""

    def __init__(
        self, local_dirs: Mapping[str, str], *, on_progress: Callable[[str, SendSummary], None] | None = None
    ) -> None:
        """`on_progress` is told the name of a directory and how far its transfer has come."""
        self._local_dirs = dict(local_dirs)
        self._on_progress = on_progress

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            "/moby.filesync.v1.FileSync/DiffCopy": self._diff_copy,
            "/moby.filesync.v1.FileSync/TarStream": self._tar_stream,
        }

    async def _diff_copy(self, stream: ServerStream) -> None:
        name = value(stream.metadata, "dir-name")
        root = self._local_dirs.get(name)
        if root is None:
            message = f"no access allowed to dir {quoted(name.encode('utf-8', 'surrogateescape'))}"
            raise ServiceError(Code.NOT_FOUND, f"rpc error: code = NotFound desc = {message}")
        report = self._on_progress
        await send(
            stream.receive_messages,
            stream.send_messages,
            root,
            includes=values(stream.metadata, "include-patterns"),
            excludes=values(stream.metadata, "exclude-patterns"),
            follow_paths=values(stream.metadata, "followpaths"),
            on_progress=(lambda summary: report(name, summary)) if report else None,
        )

    async def _tar_stream(self, stream: ServerStream) -> None:
        """Listed by the reference, and refused by it, since the daemon's first versions."""
        raise ServiceError(Code.UNKNOWN, "failed to negotiate protocol")
