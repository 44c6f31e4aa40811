"""Serves secrets: `moby.buildkit.secrets.v1.Secrets` (session/secrets/secretsprovider of the reference).

A secret is read when a step asks for it, so that what changed meanwhile counts, and never kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable, Iterable, Mapping

from buildctl._pb.secrets_pb2 import GetSecretRequest, GetSecretResponse
from buildctl.errors import Code, ServiceError
from buildctl.fsutil.worker import Worker
from buildctl.model.offer import SecretSource
from buildctl.session.stream import Handler, ServerStream
from buildctl.session.unary import read_request
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_named

MAX_SECRET_BYTES = 500 * 1024

_LOG = logging.getLogger("buildctl")


class Secrets:
    """Attachable: the secrets that were offered, by their ids, and no others."""

    def __init__(
        self,
        sources: Iterable[SecretSource],
        environ: Mapping[str, str],
        *,
        on_secret: Callable[[bytes], None] | None = None,
    ) -> None:
        """Of sources with the same id the last counts. `environ` is where variables are looked up.

        `on_secret` is told each value before the daemon gets it.
        """
        self._sources = {source.id: source for source in sources}
        self._turns = {name: asyncio.Lock() for name in self._sources}
        self._environ = environ
        self._on_secret = on_secret

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {"/moby.buildkit.secrets.v1.Secrets/GetSecret": self._get_secret}

    async def _get_secret(self, stream: ServerStream) -> None:
        request = await read_request(GetSecretRequest, stream)
        source = self._sources.get(request.ID)
        if source is None:
            _LOG.debug("refused secret %r: it was not offered", request.ID)
            raise ServiceError(Code.NOT_FOUND, "rpc error: code = NotFound desc = not found")
        # Each secret is on its way once at a time, so that a hundred calls do not have a hundred copies.
        async with self._turns[source.id]:
            response = GetSecretResponse(data=await self._read(source))
            await stream.send_messages([response.SerializeToString()])

    async def _read(self, source: SecretSource) -> bytes:
        if source.value is not None:
            data, size = source.value, len(source.value)
        elif source.env:
            data = self._environ.get(source.env, "").encode("utf-8", "surrogateescape")
            size = len(data)
        else:
            # A thread of its own: the file may be a pipe that nobody has opened yet.
            with contextlib.closing(Worker(f"secret {source.id}")) as worker:
                data, size = await worker.run(_read, source.path)
        if size > MAX_SECRET_BYTES:
            _LOG.debug("refused secret %r: %d bytes are too many", source.id, size)
            raise ServiceError(Code.UNKNOWN, f"invalid secret size {size}")
        if self._on_secret is not None:
            self._on_secret(data)
        return data


def _read(path: str) -> tuple[bytes, int]:
    """The file's content, and its size; of one that is too long the size alone."""
    try:
        data = read_named(path, limit=MAX_SECRET_BYTES)
        return data, len(data)
    except OSError as error:
        if error.errno == errno.EFBIG:
            return b"", max(MAX_SECRET_BYTES + 1, os.stat(path).st_size)
        verb = "read" if isinstance(error, IsADirectoryError) else "open"
        raise ServiceError(Code.UNKNOWN, f"{verb} {path}: {errno_text(error)}") from None
