"""A terminal that a live picture has for itself: keys are not shown, and Ctrl-Z and `fg` find it tidy.

Signals can be taken by the main thread alone; elsewhere only the keys are seen to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from types import FrameType

from buildctl.system import echo
from buildctl.system.writing import write_all


class TerminalHold:
    """Holds the terminal behind `descriptor` from `take` to `release`, and lets go of it while stopped.

    `restore` are the bytes that put the terminal right at once. What else puts keys back where the process
    ends without `release` is `echo.restore_all`; nothing can where it is killed.
    """

    def __init__(self, descriptor: int, restore: bytes) -> None:
        self._descriptor = descriptor
        self._restore = restore
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handled: list[int] = []
        self._stopping: asyncio.Task[None] | None = None
        self._step_aside: Callable[[], Awaitable[None]] | None = None
        self._come_back: Callable[[], None] | None = None

    def take(self, step_aside: Callable[[], Awaitable[None]], come_back: Callable[[], None]) -> None:
        """Hold the terminal. Before a stop by Ctrl-Z `step_aside` is awaited; `come_back` is called after."""
        self._loop = asyncio.get_running_loop()
        self._step_aside, self._come_back = step_aside, come_back
        echo.hush(self._descriptor)
        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread
            if signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL:
                signal.signal(signal.SIGQUIT, self._quit)
                self._handled.append(signal.SIGQUIT)
            self._handle(signal.SIGCONT, self._resume)
            self._handle(signal.SIGTSTP, self._stop)

    def release(self) -> None:
        """Give the terminal back."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        for number in self._handled:
            if number == signal.SIGQUIT:
                signal.signal(number, signal.SIG_DFL)
            else:
                loop.remove_signal_handler(number)
        self._handled.clear()
        echo.restore(self._descriptor)

    def _handle(self, number: int, handler: Callable[[], None]) -> None:
        """Take a signal, unless the caller has it ignored, as a shell without job control does."""
        assert self._loop is not None
        if signal.getsignal(number) is signal.SIG_DFL:
            self._loop.add_signal_handler(number, handler)
            self._handled.append(number)

    def _stop(self) -> None:
        if self._loop is not None and self._stopping is None:
            self._stopping = self._loop.create_task(self._stopped())

    async def _stopped(self) -> None:
        assert self._step_aside is not None
        try:
            await self._step_aside()
            if self._loop is None:  # the build has ended meanwhile
                return
            echo.restore(self._descriptor)
            self._loop.remove_signal_handler(signal.SIGTSTP)
            os.kill(os.getpid(), signal.SIGTSTP)
            # From here on somebody has sent SIGCONT.
            self._loop.add_signal_handler(signal.SIGTSTP, self._stop)
            self._resume()
        finally:
            self._stopping = None

    def _resume(self) -> None:
        if self._loop is not None and self._come_back is not None:
            echo.hush(self._descriptor)
            self._come_back()

    def _quit(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-\\ ends the process where it is, and is to do no more than that."""
        echo.restore(self._descriptor)
        with contextlib.suppress(OSError):
            write_all(self._descriptor, self._restore)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
