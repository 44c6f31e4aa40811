"""The user's terminal as a stream for a program elsewhere: raw while that runs, as it was before afterwards.

It is opened anew and so does not share with the shell that started us what is changed of it, and what is
typed is had from it although standard input may hold a definition. Reads and writes never block the loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Self

from buildctl.cli.environment import CONSOLE
from buildctl.errors import BuildctlError

_READ_BYTES = 1 << 12


class Console:
    """The terminal until the block ends, however it ends. Raises `BuildctlError` where there is none."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._before: list[object] = []
        self._on_resize: Callable[[], None] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._descriptor = os.open(CONSOLE, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise BuildctlError(f"the terminal cannot be opened: {error.strerror}") from error
        self._before = termios.tcgetattr(self._descriptor)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.watch_size(None)
        self.restore()
        os.close(self._descriptor)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        columns, rows = os.get_terminal_size(self._descriptor)
        return rows or 24, columns or 80

    def make_raw(self) -> None:
        """Pass on each key as it is typed, Ctrl-C too."""
        tty.setraw(self._descriptor, termios.TCSADRAIN)

    def restore(self) -> None:
        """Make the terminal what it was."""
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]

    def watch_size(self, on_resize: Callable[[], None] | None) -> None:
        """Call a function whenever the window has another size; None for no longer."""
        loop = asyncio.get_running_loop()
        if on_resize is not None:
            loop.add_signal_handler(signal.SIGWINCH, on_resize)
        elif self._on_resize is not None:
            loop.remove_signal_handler(signal.SIGWINCH)
        self._on_resize = on_resize

    async def read(self) -> bytes:
        """What has been typed; nothing once the terminal is gone."""
        while True:
            try:
                return os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                await self._ready(asyncio.get_running_loop().add_reader, "remove_reader")
            except OSError:
                return b""

    async def write(self, data: bytes) -> None:
        """Show bytes as they are."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                await self._ready(asyncio.get_running_loop().add_writer, "remove_writer")
            except OSError:
                return

    async def _ready(self, watch: Callable[..., object], unwatch: str) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        watch(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            getattr(loop, unwatch)(self._descriptor)
