"""A container and its processes, without await."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from buildctl.client.gateway import container as awaited
from buildctl.client.gateway import process
from buildctl.client.gateway.process import CAPTURE_BYTES, Output
from buildctl.sync.facade import waits
from buildctl.sync.portal import Waiting, call, iterate

if TYPE_CHECKING:
    from buildctl.sync.build import Reference

Input: TypeAlias = bytes | Iterable[bytes] | Literal["pipe"] | None
_END: Any = object()


@dataclass(frozen=True)
class ContainerMount(awaited.ContainerMount):
    """What is mounted in a container, as `buildctl.ContainerMount`, of a reference that does not await."""

    ref: Reference | None = None  # type: ignore[assignment]  # it stands in front of the other


class Writer:
    """A process's standard input, without await. Raises `ClosedError` once the process has ended."""

    def __init__(self, writer: process.Writer, waiting: Waiting) -> None:
        self._awaited = writer
        self._waiting = waiting

    write = waits(process.Writer.write)

    def close(self) -> None:
        """Say that nothing follows; twice does nothing: `process.stdin.close()`."""
        call(self._awaited.aclose(), self._waiting)


class Pipe:
    """What a process writes, as an iterator of pieces: `b"".join(process.stdout)`.

    Reading raises `BuildctlError` where the process is lost.
    """

    def __init__(self, pipe: process.Pipe, waiting: Waiting) -> None:
        self._awaited = pipe
        self._waiting = waiting

    def __iter__(self) -> Iterator[bytes]:
        return iterate(self._awaited, self._waiting)

    read = waits(process.Pipe.read)


class Process:
    """A process that has been started: `buildctl.Process`'s methods by their names, without await.

    Functions that take its output run in the thread that waits for it, or for anything else of its build.
    """

    def __init__(self, process: process.Process, waiting: Waiting) -> None:
        self._awaited = process
        self._waiting = waiting
        self.args = process.args
        self.stdin = Writer(process.stdin, waiting) if process.stdin else None
        self._stdout = Pipe(process.stdout, waiting) if process.stdout else None
        self._stderr = Pipe(process.stderr, waiting) if process.stderr else None

    @property
    def stdout(self) -> Pipe | None:
        """What it writes, where that is a pipe."""
        return self._stdout

    @property
    def stderr(self) -> Pipe | None:
        """What it writes to standard error, where that is a pipe."""
        return self._stderr

    @property
    def returncode(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._awaited.returncode

    @property
    def captured_stdout(self) -> bytes:
        """What it has written so far, where that is captured."""
        return self._awaited.captured_stdout

    @property
    def captured_stderr(self) -> bytes:
        """What it has written so far, where that is captured."""
        return self._awaited.captured_stderr

    wait = waits(process.Process.wait)
    resize = waits(process.Process.resize)
    signal = waits(process.Process.signal)


class Container:
    """A container that is open: `buildctl.Container`'s methods by their names, without await.

    Every method raises what it raises there: `ContainerGoneError`, `RPCError`, `UnsupportedError`.
    """

    def __init__(self, container: awaited.Container, waiting: Waiting) -> None:
        self._awaited = container
        self._waiting = waiting

    @property
    def id(self) -> str:
        """By which the daemon knows it."""
        return self._awaited.id

    def start(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        tty: bool = False,
        stdin: Input = None,
        stdout: Output = "capture",
        stderr: Output = "capture",
        security: Literal["sandbox", "insecure"] | None = None,
        secret_env: Sequence[str] = (),
        limit: int = CAPTURE_BYTES,
    ) -> Process:
        """Start a process; returns once it runs, as `buildctl.Container.start` has it.

            process = box.start(["cat"], stdin="pipe", stdout="pipe")

        An iterable of bytes as `stdin` is iterated over in a thread.
        """
        given = stdin if isinstance(stdin, bytes | str | None) else _each(stdin)
        starting = self._awaited.start(
            args,
            env=env,
            cwd=cwd,
            user=user,
            tty=tty,
            stdin=given,
            stdout=self._posted(stdout),
            stderr=self._posted(stderr),
            security=security,
            secret_env=secret_env,
            limit=limit,
        )
        return Process(call(starting, self._waiting), self._waiting)

    run = waits(awaited.Container.run)
    read_bytes = waits(awaited.Container.read_bytes)
    iterdir = waits(awaited.Container.iterdir)
    stat = waits(awaited.Container.stat)

    def _posted(self, output: Output) -> Output:
        return self._waiting.posted(output) if callable(output) else output


async def _each(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The pieces of an iterable that may block."""
    waiting = iter(pieces)
    while (piece := await asyncio.to_thread(next, waiting, _END)) is not _END:
        yield piece
