"""A process whose standard input and output are the byte stream to a daemon.

Both are one end of a socket pair, so that the relay moves bytes as between any sockets and an end of input
can be passed on. When this process dies, however it dies, the other end closes and the command with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence

from buildctl.errors import ConnectError
from buildctl.model.quote import quote
from buildctl.transport.stream import ByteStream, dial_error

_STDERR_BYTES = 4096
_EXIT_SECONDS = 10.0
_TERM_SECONDS = 3.0  # as long as the reference waits between asking and killing


class _CommandStream(ByteStream):
    def __init__(
        self,
        sock: socket.socket,
        *,
        argv: Sequence[str],
        process: asyncio.subprocess.Process,
        complaints: _Complaints,
    ) -> None:
        super().__init__(sock)
        self.argv = argv
        self.process = process
        self.complaints = complaints

    async def why_ended(self) -> ConnectError | None:
        """What the command said if it failed. It is expected to end soon after its output has."""
        shown = " ".join(self.argv)
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                status = await self.process.wait()
        except TimeoutError:
            reason = f"command [{shown}] did not exit after EOF: stderr={quote(self.complaints.text)}"
        else:
            if status == 0:
                return None
            how = f"exit status {status}" if status > 0 else f"signal: {_signal_name(-status)}"
            reason = (
                f"command [{shown}] has exited with {how}, make sure the URL is valid, "
                f"and Docker 18.09 or later is installed on the remote host: stderr={self.complaints.text}"
            )
        return ConnectError(reason, hint=f"try that command by hand: {shown}")

    async def aclose(self) -> None:
        """Close the stream, ask the command to end, and see that it does."""
        self.sock.close()
        try:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), _TERM_SECONDS)
        finally:
            self._signal(signal.SIGKILL)
            self.complaints.close()
            await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """To the command and what it started: it leads a group of its own."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class _Complaints:
    """The last of what a command writes to its standard error, taken as it comes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._kept = bytearray()
        asyncio.get_running_loop().add_reader(sock, self._read)

    @property
    def text(self) -> str:
        """What has been kept, including what still waits to be read."""
        while self._read():
            pass
        return self._kept.decode("utf-8", "surrogateescape")

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()

    def _read(self) -> bool:
        try:
            chunk = self._sock.recv(_STDERR_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
        self._kept += chunk
        del self._kept[:-_STDERR_BYTES]
        return bool(chunk)


async def dial_command(argv: Sequence[str], environ: Mapping[str, str]) -> ByteStream:
    """Start `argv`; what it is connected to is seen only by talking."""
    with contextlib.ExitStack() as stack:
        near, far = socket.socketpair()
        heard, stderr = socket.socketpair()
        for sock in (near, heard):
            stack.push(sock)
            sock.setblocking(False)
        with far, stderr:
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=far.fileno(),
                    stdout=far.fileno(),
                    stderr=stderr.fileno(),
                    env=environ,
                    start_new_session=True,  # a Ctrl-C cancels the build first, over this very stream
                )
            except FileNotFoundError:
                raise dial_error(
                    f"exec: {quote(argv[0])}: executable file not found in $PATH", f"install {argv[0]}"
                ) from None
            except OSError as error:
                reason = f"fork/exec {argv[0]}: {(error.strerror or '').lower()}"
                raise dial_error(reason, f"can {argv[0]} be run here?") from None
        stack.pop_all()
    return _CommandStream(near, argv=argv, process=process, complaints=_Complaints(heard))


def _signal_name(number: int) -> str:
    return (signal.strsignal(number) or str(number)).lower()
