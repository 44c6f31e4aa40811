"""Puts an image that another BuildKit built into a Docker Engine's store, while the daemon delivers it.

The archive of exporter `docker` becomes the body of `POST /images/load` (moby, api/server/router/image), a
piece at a time: nothing is kept on disk, and an Engine that takes its time slows the daemon down.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, TypeVar, cast

from buildctl.errors import ConnectError, TransferError
from buildctl.model.address import Address, TLSOptions, parse_address
from buildctl.model.solve import StreamDestination
from buildctl.transport.engine import engine_api_dialer
from buildctl.transport.stream import ByteStream, Dial

T = TypeVar("T")

_HEAD = (
    b"POST /images/load?quiet=1 HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
    b"Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_INFO = b"GET /info HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
_ANSWER_LIMIT = 1 << 20
_ANSWER_SECONDS = 600.0
"""An Engine unpacks what it was sent before it answers."""


def load_destination(engine: Address, environ: Mapping[str, str]) -> StreamDestination:
    """Where an archive of exporter `docker` goes to be loaded; used by the event loop that runs now.

    `engine` is a `docker` address. Raises `UsageError` for a DOCKER_HOST that cannot be meant.
    """
    dial, where, _ = engine_api_dialer(engine, TLSOptions(), environ)
    loop = asyncio.get_running_loop()
    return StreamDestination(lambda _: cast(BinaryIO, _Load(dial, where, loop)))


def engine_named(text: str) -> Address:
    """The Engine that `load="unix:///path"` names; tcp:// and docker:// are known too."""
    address = parse_address(text)
    if address.scheme == "unix":
        return parse_address(f"docker://{address.path}")
    return parse_address(f"docker://{address.host}") if address.scheme == "tcp" else address


async def can_push(engine: Address, environ: Mapping[str, str]) -> bool:
    """Whether the BuildKit of an Engine can push: with containerd's image store it can, with its own not.

    Raises `ConnectError` where the Engine does not answer.
    """
    dial, where, seconds = engine_api_dialer(engine, TLSOptions(), environ)
    stream = await dial()
    loop = asyncio.get_running_loop()
    answer = b""
    try:
        async with asyncio.timeout(seconds):
            await loop.sock_sendall(stream.sock, _INFO)
            while piece := await loop.sock_recv(stream.sock, 64 * 1024):
                answer += piece
                if len(answer) > _ANSWER_LIMIT:
                    break
    except (OSError, TimeoutError) as error:
        raise ConnectError(f"the Docker Engine at {where} does not say what it is: {error}") from error
    finally:
        await stream.aclose()
    return b"io.containerd.snapshotter" in answer


class _Load:
    """A file that an Engine reads: written in a worker thread, sent by the event loop."""

    def __init__(self, dial: Dial, where: str, loop: asyncio.AbstractEventLoop) -> None:
        self._where = where
        self._loop = loop
        self._stream = self._run(self._open(dial))

    def write(self, piece: memoryview) -> int:
        self._run(self._send(b"%x\r\n%b\r\n" % (len(piece), bytes(piece))))
        return len(piece)

    def close(self) -> None:
        """Wait until the Engine has loaded it. Raises `TransferError` with the Engine's own words."""
        try:
            self._run(self._finish())
        finally:
            self.abort()

    def abort(self) -> None:
        """Leave the Engine with half a request, of which it keeps nothing."""
        self._run(self._stream.aclose())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, dial: Dial) -> ByteStream:
        try:
            stream = await dial()
        except ConnectError as error:
            raise TransferError(
                f"no Docker Engine at {self._where} to load the image into: {error}", hint=error.hint
            ) from error
        self._stream = stream
        await self._send(_HEAD)
        return stream

    async def _send(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._stream.sock, data)
        except OSError:
            raise TransferError(await self._refusal("it closed the connection")) from None

    async def _finish(self) -> None:
        await self._send(b"0\r\n\r\n")
        if refusal := await self._refusal(""):
            raise TransferError(refusal)

    async def _refusal(self, otherwise: str) -> str:
        """Why the Engine did not load the image; `otherwise` where it does not say, empty for nothing."""
        answer = bytearray(self._stream.early)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while len(answer) < _ANSWER_LIMIT and not _is_whole(answer):
                    piece = await self._loop.sock_recv(self._stream.sock, 64 * 1024)
                    if not piece:
                        break
                    answer += piece
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        said = "; ".join(_errors(body))
        if not said and status != [b"200"]:
            said = otherwise or "it gave no answer"
        return f"the Docker Engine at {self._where} did not load the image: {said}" if said else ""


def _is_whole(answer: bytes | bytearray) -> bool:
    """Whether a chunked answer has come to its end; others end with the connection."""
    return answer.endswith(b"\r\n0\r\n\r\n")


def _errors(body: bytes) -> list[str]:
    """The messages of a refusal, and of the progress of a loading that failed: JSON, one object a line."""
    found = []
    for line in body.splitlines():
        with suppress(ValueError, RecursionError):
            said = json.loads(line)
            if isinstance(said, dict) and (text := said.get("error") or said.get("message")):
                found.append(str(text))
    return found
