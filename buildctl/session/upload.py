"""Streams that the daemon pulls by URL: `moby.upload.v1.Upload` (session/upload of the reference).

The command line offers none. A program that has, say, an archive in memory adds it and gives the URL to a
frontend as its context.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

from buildctl._pb.upload_pb2 import BytesMessage
from buildctl.errors import Code, ServiceError, TransferError
from buildctl.fsutil.worker import Worker
from buildctl.model.identity import new_id
from buildctl.session.metadata import value
from buildctl.session.stream import Handler, ServerStream

_HOST = "http://buildkit-session/"
_READ_SIZE = 1 << 19
_CLEANUP_SECONDS = 1.0
"""How long a file that stalls may delay the end of a call."""


class Uploads:
    """Attachable: each file that was added is served once, under its own URL, and closed.

    What a file raises ends the transfer, and with it the build, as `TransferError`.
    """

    def __init__(self) -> None:
        self._files: dict[str, BinaryIO] = {}

    def add(self, file: BinaryIO) -> str:
        """The URL of a file, which is read from where it stands to its end, off the event loop.

        url = uploads.add(open("context.tar", "rb"))
        """
        upload_id = new_id()
        self._files[upload_id] = file
        return _HOST + upload_id

    def close(self) -> None:
        """Close the files that nobody has asked for; it may block.

        uploads.close()
        """
        files, self._files = self._files, {}
        for file in files.values():
            _close(file)

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {"/moby.upload.v1.Upload/Pull": self._pull}

    async def _pull(self, stream: ServerStream) -> None:
        upload_id = posixpath.basename(value(stream.metadata, "urlpath").rstrip("/"))
        file = self._files.pop(upload_id, None)
        if file is None:
            raise ServiceError(Code.UNKNOWN, f"no http response from session for {upload_id}")
        worker = Worker("upload")
        try:
            while data := await worker.run(_read, file):
                await stream.send_messages([BytesMessage(data=data).SerializeToString()])
        finally:
            await asyncio.wait([worker.run(_close, file)], timeout=_CLEANUP_SECONDS)
            worker.close()


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(_READ_SIZE)
    except (OSError, ValueError) as error:  # ValueError: somebody else has closed it
        raise TransferError(f"failed to read an upload: {error}") from error


def _close(file: BinaryIO) -> None:
    with suppress(OSError):
        file.close()
