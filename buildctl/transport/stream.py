"""A byte stream to a daemon, however it was opened: what dialling yields, and what the relay carries."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

from buildctl.errors import ConnectError
from buildctl.model.quote import quote


class ByteStream:
    """An open stream: a non-blocking socket, and what the peer sent before the handshake's end was seen."""

    def __init__(self, sock: socket.socket, early: bytes = b"") -> None:
        self.sock = sock
        self.early = early

    async def aclose(self) -> None:
        """Close the stream and end what is behind it."""
        self.sock.close()

    async def why_ended(self) -> ConnectError | None:
        """The bare reason that the stream ended, where somebody besides the peer knows it."""
        return None


Dial = Callable[[], Awaitable[ByteStream]]
"""Opens a stream; raises ConnectError."""


def dial_error(reason: str, hint: str, *, lasting: bool = False) -> ConnectError:
    """No stream could be opened, worded as grpc-go words it."""
    error = connection_error(f"transport: Error while dialing: {reason}", hint, lasting=lasting)
    error.reason = reason
    return error


def ended_error(reason: ConnectError, *, connected: bool) -> ConnectError:
    """An open stream ended for a reason that `why_ended` gave, before the daemon greeted or in mid-call."""
    if connected:
        return ConnectError(f"error reading from server: {reason.message}", hint=reason.hint)
    return connection_error(f"error reading server preface: {reason.message}", reason.hint)


def connection_error(description: str, hint: str, *, lasting: bool = False) -> ConnectError:
    """The connection failed; the text is what follows `Unavailable: ` in the reference's errors."""
    error = ConnectError(f"connection error: desc = {quote(description)}", hint=hint)
    error.lasting = lasting
    return error
