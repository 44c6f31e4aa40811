"""A process in a container: what goes to it, what it writes, and how it ends."""

from __future__ import annotations

import asyncio
import inspect
import signal as signals
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from buildctl._pb import gateway_pb2
from buildctl.client.convert.errors import error_detail
from buildctl.errors import BuildctlError, ClosedError, Code, ContainerGoneError, RPCError, UsageError

if TYPE_CHECKING:
    from buildctl.client.gateway.gateway import Gateway
    from buildctl.client.gateway.processes import Processes

Sink: TypeAlias = Callable[[bytes], object]
"""Takes a piece of output; what is awaitable of it is awaited, and all output of the build with it."""
Input: TypeAlias = bytes | AsyncIterable[bytes] | Literal["pipe"] | None
Output: TypeAlias = Sink | Literal["capture", "pipe"] | None

PIPE_BYTES = 1 << 20
"""What a pipe holds; then nothing of any process is read until somebody reads the pipe."""
CAPTURE_BYTES = 1 << 24
_PIECE_BYTES = 1 << 15
_UNKNOWN = 255
"""The exit code of what was no process, as Go's client has it (gateway/container)."""


@dataclass(frozen=True)
class Completed:
    """A process that has ended, as `subprocess.CompletedProcess`."""

    args: tuple[str, ...]
    returncode: int
    stdout: bytes = b""
    stderr: bytes = b""


class Writer:
    """A process's standard input."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._is_closed = False

    async def write(self, data: bytes) -> None:
        """Send bytes, as `await process.stdin.write(b"x")`; waits while the daemon takes none.

        Raises `ClosedError` once the process has ended.
        """
        if self._is_closed:
            raise ClosedError("standard input was closed")
        for start in range(0, len(data), _PIECE_BYTES):
            await self._process.send_file(0, data[start : start + _PIECE_BYTES])

    async def aclose(self) -> None:
        """Say that nothing follows; of a process that has ended, or twice, this does nothing."""
        if not self._is_closed:
            self._is_closed = True
            await self._process.end_input()


class Pipe:
    """What a process writes, as an asynchronous iterator of pieces."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._failure: BuildctlError | None = None
        self._has_ended = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._has_ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._size < PIPE_BYTES:
            self._room.set()
        return piece

    async def read(self) -> bytes:
        """All up to the end: `await process.stdout.read()`."""
        return b"".join([piece async for piece in self])

    async def put(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        self._changed.set()
        while self._size >= PIPE_BYTES and not self._has_ended:
            self._room.clear()
            await self._room.wait()

    def end(self, failure: BuildctlError | None = None) -> None:
        self._has_ended, self._failure = True, failure
        self._changed.set()
        self._room.set()


class _Capture:
    """What a process writes, kept up to a limit."""

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._limit = name, limit
        self._pieces: list[bytes] = []
        self._size = 0

    def put(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            self._pieces.clear()
            raise BuildctlError(
                f"the process wrote more than {self._limit} bytes to its {self._name}",
                hint='use "pipe" or a function that takes the pieces',
            )
        self._pieces.append(data)

    def read(self) -> bytes:
        return b"".join(self._pieces)


class Process:
    """A process that has been started. `stdin`, `stdout` and `stderr` are there where they are pipes.

    process = await box.start(["cat"], stdin="pipe", stdout="pipe")
    await process.stdin.write(b"x")
    await process.stdin.aclose()
    async for piece in process.stdout: ...
    assert await process.wait() == 0
    """

    def __init__(
        self,
        gateway: Gateway,
        processes: Processes,
        process_id: str,
        args: tuple[str, ...],
        *,
        stdin: Input,
        stdout: Output,
        stderr: Output,
        tty: bool,
        limit: int = CAPTURE_BYTES,
    ) -> None:
        self.id = process_id
        self.args = args
        self._gateway, self._processes = gateway, processes
        self._is_tty = tty
        self.stdin = Writer(self) if stdin == "pipe" else None
        self._captures: dict[int, _Capture] = {}
        self._pipes: dict[int, Pipe] = {}
        self._sinks: dict[int, Sink] = {}
        for fd, name, output in ((1, "standard output", stdout), (2, "standard error", stderr)):
            if fd == 2 and tty:
                continue
            if output == "capture":
                self._captures[fd] = _Capture(name, limit)
                self._sinks[fd] = self._captures[fd].put
            elif output == "pipe":
                self._pipes[fd] = Pipe()
                self._sinks[fd] = self._pipes[fd].put
            elif callable(output):
                self._sinks[fd] = output
            elif output is not None:
                raise UsageError(f'output is "capture", "pipe", a function or None, not {output!r}')
        self.fds = [*((0,) if stdin is not None else ()), *self._sinks]
        """The descriptors that are forwarded."""
        self._takes_input = stdin is not None
        self._exit: gateway_pb2.ExitMessage | None = None
        self._failure: BuildctlError | None = None
        self.started = asyncio.Event()
        self._done = asyncio.Event()
        self.on_exit: Callable[[Process], None] = lambda process: None

    @property
    def stdout(self) -> Pipe | None:
        return self._pipes.get(1)

    @property
    def stderr(self) -> Pipe | None:
        return self._pipes.get(2)

    @property
    def captured_stdout(self) -> bytes:
        """What it has written so far, where that is captured."""
        return self._captures[1].read() if 1 in self._captures else b""

    @property
    def captured_stderr(self) -> bytes:
        """What it has written so far, where that is captured."""
        return self._captures[2].read() if 2 in self._captures else b""

    @property
    def returncode(self) -> int | None:
        """Its exit code, None while it runs."""
        return None if self._exit is None else self._exit.Code

    @property
    def is_done(self) -> bool:
        """Whether nothing more comes of it."""
        return self._done.is_set()

    async def wait(self) -> int:
        """Its exit code, once it has ended and all that it wrote was taken.

        Raises `ContainerGoneError` where its container went before, and what a sink raised.

            code = await process.wait()
        """
        await self._done.wait()
        self.check()
        assert self._exit is not None
        return self._exit.Code

    async def resize(self, rows: int, cols: int) -> None:
        """Tell it the size of its terminal. Raises `UsageError` where it has none.

        await process.resize(24, 80)
        """
        if not self._is_tty:
            raise UsageError("only a process with a terminal has a size", hint="start it with tty=True")
        self._check_running()
        await self._processes.send(self, Resize=gateway_pb2.ResizeMessage(Rows=rows, Cols=cols))

    async def signal(self, sig: int | str | signals.Signals) -> None:
        """Send a signal: `signal.SIGTERM`, 15, "TERM" or "SIGTERM".

        Raises `UnsupportedError` on BuildKit before 0.11, which ignores signals.

            await process.signal("TERM")
        """
        self._gateway.require("gateway.exec.signals", "a signal to a process")
        name = signals.Signals(sig).name if isinstance(sig, int) else sig.upper()
        self._check_running()
        await self._processes.send(self, Signal=gateway_pb2.SignalMessage(Name=name.removeprefix("SIG")))

    def check(self) -> None:
        """Raise what has failed."""
        if self._failure is not None:
            raise self._failure
        if self._exit is not None and could_not_run(self._exit):
            error = self._exit.Error
            details = tuple(error_detail(one.type_url, one.value) for one in error.details)
            raise RPCError(Code(error.code), error.message, details=details)

    # What the stream, the container and the writer use

    async def take(self, message: gateway_pb2.ExecMessage) -> None:
        """Take a message of the daemon."""
        match message.WhichOneof("Input"):
            case "Started":
                self.started.set()
            case "File":
                await self._take_output(message.File)
            case "Exit":
                self._exit = message.Exit
                self.started.set()
                self.on_exit(self)
                if self._takes_input:  # the daemon waits for its end
                    self._gateway.start(self.end_input())
            case "Done":
                self._finish()

    def fail(self, failure: BuildctlError) -> None:
        """End it here, for it is lost: with its container, the stream, or the build."""
        if not self._done.is_set():
            self._failure = self._failure or failure
            self._finish()

    async def send_file(self, fd: int, data: bytes) -> None:
        self._check_running()
        if not self._takes_input:
            raise ClosedError("the process has ended, or its input was closed")
        await self._processes.send(self, File=gateway_pb2.FdMessage(Fd=fd, Data=data))

    async def end_input(self) -> None:
        if self._takes_input and not self._done.is_set():
            self._takes_input = False
            await self._processes.send(self, File=gateway_pb2.FdMessage(Fd=0, EOF=True))

    async def feed(self, source: bytes | AsyncIterable[bytes]) -> None:
        """Send all of a source as its input."""
        try:
            if isinstance(source, bytes):
                for start in range(0, len(source), _PIECE_BYTES):
                    await self.send_file(0, source[start : start + _PIECE_BYTES])
            else:
                async for piece in source:
                    await self.send_file(0, piece)
            await self.end_input()
        except ClosedError:  # a process need not read all that it is given
            pass
        except Exception as error:  # of the source
            self.fail(error if isinstance(error, BuildctlError) else BuildctlError(str(error)))

    async def _take_output(self, message: gateway_pb2.FdMessage) -> None:
        sink = self._sinks.get(message.Fd)
        if sink is None or self._failure is not None or not message.Data:
            return
        try:
            taken = sink(message.Data)
            if inspect.isawaitable(taken):
                await _awaited(taken)
        except Exception as error:  # of whoever takes it
            self._failure = error if isinstance(error, BuildctlError) else _of_sink(error)
            self._done.set()  # nobody is to wait for a process that may write for ever

    def _check_running(self) -> None:
        self._gateway.check_open()
        if self._exit is not None or self._done.is_set():
            raise ClosedError("the process has ended")

    def _finish(self) -> None:
        if self._exit is None and self._failure is None:
            self._failure = ContainerGoneError("the process ended, and the daemon did not say how")
        for pipe in self._pipes.values():
            pipe.end(self._failure)
        self.started.set()
        self._done.set()


async def _awaited(value: Awaitable[object]) -> None:
    await value


def _of_sink(error: Exception) -> BuildctlError:
    failure = BuildctlError(f"the output of a process could not be taken: {error}")
    failure.__cause__ = error
    return failure


def could_not_run(message: gateway_pb2.ExitMessage) -> bool:
    """Whether there was no process whose exit code it is."""
    is_code = any(detail.type_url.endswith("gatewayapi.ExitMessage+json") for detail in message.Error.details)
    return message.Code == _UNKNOWN and message.HasField("Error") and not is_code
