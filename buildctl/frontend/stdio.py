"""The conversation of a frontend with its daemon: HTTP/2 on standard input and output.

What the program itself prints must not get between: from here on it goes to standard error, which the daemon
logs. grpcio dials addresses only, so the two streams are put behind a socket.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable

from buildctl.transport.stream import ByteStream

_PIECE_BYTES = 1 << 16


class StandardStreams:
    """Standard input and output, taken away from the program."""

    def __init__(self) -> None:
        self._input, self._output = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    async def dial(self) -> ByteStream:
        """The two as one stream; there is one conversation, so this is done once."""
        near, far = socket.socketpair()
        near.setblocking(False)
        # Threads, for either end may be a file on which nothing can be waited for.
        pumps: tuple[Callable[[], None], ...] = (lambda: self._pump_in(far), lambda: self._pump_out(far))
        for pump in pumps:
            threading.Thread(target=pump, name="buildctl-frontend", daemon=True).start()
        return ByteStream(near)

    def _pump_in(self, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._input, _PIECE_BYTES):
                far.sendall(data)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)

    def _pump_out(self, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(_PIECE_BYTES):
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(self._output, rest) :]
        with contextlib.suppress(OSError):
            os.close(self._output)
