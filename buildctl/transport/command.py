"""A process whose standard input and output are the byte stream to a daemon.

Both are one end of a socket pair, so that the relay moves bytes as between any sockets and an end of input
can be passed on. When this process dies, however it dies, the other end closes and the command with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from buildctl.errors import ConnectError
from buildctl.model.url import go_quote
from buildctl.transport.stream import ByteStream, connection_error, dial_error

_STDERR_BYTES = 4096
_EXIT_SECONDS = 10.0
_TERM_SECONDS = 3.0  # as long as the reference waits between asking and killing


@dataclass(slots=True)
class _CommandStream(ByteStream):
    argv: Sequence[str] = field(kw_only=True)
    process: asyncio.subprocess.Process = field(kw_only=True)
    complaints: bytearray = field(default_factory=bytearray, kw_only=True)
    """The last of what the command wrote to its standard error."""
    listening: asyncio.Task[None] | None = field(default=None, kw_only=True)

    async def listen(self) -> None:
        """Keep the end of what the command complains about."""
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(_STDERR_BYTES):
            self.complaints += chunk
            del self.complaints[:-_STDERR_BYTES]

    async def why_ended(self) -> ConnectError | None:
        """What the command said if it failed. It is expected to end soon after its output has."""
        shown = " ".join(self.argv)
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                status = await self.process.wait()
                assert self.listening is not None
                await asyncio.wait((self.listening,))
        except TimeoutError:
            reason = f"command [{shown}] did not exit after EOF: stderr={go_quote(self._said())}"
        else:
            if status == 0:
                return None
            how = f"exit status {status}" if status > 0 else f"signal: {_signal_name(-status)}"
            reason = (
                f"command [{shown}] has exited with {how}, make sure the URL is valid, "
                f"and Docker 18.09 or later is installed on the remote host: stderr={self._said()}"
            )
        return connection_error(
            f"error reading server preface: {reason}", f"try that command by hand: {shown}"
        )

    def _said(self) -> str:
        return self.complaints.decode("utf-8", "surrogateescape")

    async def aclose(self) -> None:
        """Close the stream, ask the command to end, and see that it does."""
        self.sock.close()
        try:
            with contextlib.suppress(ProcessLookupError):
                if self.process.returncode is None:
                    self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), _TERM_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                if self.process.returncode is None:
                    self.process.kill()
            if self.listening is not None:
                self.listening.cancel()


async def dial_command(argv: Sequence[str], environ: Mapping[str, str]) -> ByteStream:
    """Start `argv`; what it is connected to is seen only by talking."""
    near, far = socket.socketpair()
    with far:
        try:
            near.setblocking(False)
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=far.fileno(),
                stdout=far.fileno(),
                stderr=asyncio.subprocess.PIPE,
                env=environ,
                start_new_session=True,  # a Ctrl-C cancels the build first, over this very stream
            )
        except FileNotFoundError:
            near.close()
            raise dial_error(
                f"exec: {go_quote(argv[0])}: executable file not found in $PATH", f"install {argv[0]}"
            ) from None
        except OSError as error:
            near.close()
            reason = f"fork/exec {argv[0]}: {(error.strerror or '').lower()}"
            raise dial_error(reason, f"can {argv[0]} be run here?") from None
        except BaseException:
            near.close()
            raise
    stream = _CommandStream(near, argv=argv, process=process)
    stream.listening = asyncio.get_running_loop().create_task(stream.listen())
    return stream


def _signal_name(number: int) -> str:
    return (signal.strsignal(number) or str(number)).lower()
