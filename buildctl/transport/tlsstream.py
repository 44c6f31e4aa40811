"""A TLS connection as a plain byte stream, for what has to be said inside TLS before gRPC begins.

Only an Engine behind TLS needs it: its HTTP upgrade happens within the encryption that grpcio would
otherwise do itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from buildctl.transport.diagnose import diagnose
from buildctl.transport.stream import ByteStream, Dial, connection_error
from buildctl.transport.tls import TLSFiles

_CHUNK_BYTES = 256 * 1024
_HANDSHAKE_TIMEOUT = 4.0


class _TLSStream(ByteStream):
    """The near end of a socket pair, whose far end is copied into and out of the encryption."""

    def __init__(self, sock: socket.socket, copying: asyncio.Task[None]) -> None:
        super().__init__(sock)
        self._copying = copying

    async def aclose(self) -> None:
        self.sock.close()
        self._copying.cancel()
        await asyncio.gather(self._copying, return_exceptions=True)


async def dial_tls(dial: Dial, files: TLSFiles, server_name: str) -> ByteStream:
    """Dial, and encrypt what goes through; raises ConnectError with what is wrong with the handshake."""
    context = files.context()
    stream = await dial()
    try:
        reader, writer = await asyncio.open_connection(
            sock=stream.sock,
            ssl=context,
            server_hostname=server_name,
            ssl_handshake_timeout=_HANDSHAKE_TIMEOUT,
            limit=_CHUNK_BYTES,
        )
    except OSError as error:
        await stream.aclose()
        failure = await diagnose(dial, files, server_name, http1=True)
        raise failure or connection_error(
            f"transport: authentication handshake failed: {error.strerror or error}", "try again"
        ) from None
    except BaseException:
        await stream.aclose()
        raise
    near, far = socket.socketpair()
    near.setblocking(False)
    plain_reader, plain_writer = await asyncio.open_connection(sock=far, limit=_CHUNK_BYTES)
    copying = asyncio.get_running_loop().create_task(_copy_both(reader, writer, plain_reader, plain_writer))
    return _TLSStream(near, copying)


async def _copy_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    plain_reader: asyncio.StreamReader,
    plain_writer: asyncio.StreamWriter,
) -> None:
    """Until either side ends: TLS over asyncio has no half-close, and HTTP/2 needs none."""
    copies = {
        asyncio.ensure_future(_copy(reader, plain_writer)),
        asyncio.ensure_future(_copy(plain_reader, writer)),
    }
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        writer.transport.abort()
        plain_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
