"""A file that grows by lines while a build runs, such as `--trace`; the build never waits for the disk."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from buildctl.cli.outfile import write_failure
from buildctl.progress.writer import StreamWriter

_DROPPED_NOTE = b'{"dropped":%d}\n'


class LineFile:
    """An open file; within its `async with`, `append` never waits."""

    def __init__(self, path: str, descriptor: int) -> None:
        """A file on an open descriptor, which is closed at the end."""
        self._path = path
        self._descriptor = descriptor
        self._writer: StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._writer = StreamWriter(self._descriptor, dropped_note=_DROPPED_NOTE)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raises `BuildctlError` where not all could be written, unless the build has failed."""
        assert self._writer is not None
        await self._writer.close()
        os.close(self._descriptor)
        if self._writer.broken is not None and exc is None:
            raise write_failure(self._path, self._writer.broken)

    def append(self, data: bytes) -> None:
        """Append whole lines."""
        assert self._writer is not None, "a file is entered before it is used"
        self._writer.write(data)
