"""Runs a command's coroutine in an event loop, with Ctrl-C, SIGTERM and SIGHUP as its cancellation.

Apart from `cli/app.py`, because loading asyncio takes half as long again as all else that `--version` and
`--help` load.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from buildctl.errors import BuildctlError, ExitCode, InterruptedByUserError
from buildctl.system import echo
from buildctl.system.descriptors import count_open

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_LEAVE_AFTER_SECONDS = 1.0
"""How long a second Ctrl-C waits for temporary files and processes to be removed."""

_TURN_SECONDS = 0.0005
"""How long a thread that computes keeps the interpreter from one that waits for it, such as the event loop.

A health check passes between threads several times. With Python's 5 ms its median was 156 to 238 ms while
files were walked and logs drawn beside four busy processes on two cores; with this, 26 to 38. An export of
50,000 files, in which two threads compute all the time, takes the same CPU either way."""

_MORE_FILES = 30
"""How many a build opens at most beside those that it was given; fewer do while it is lucky."""
_ENOUGH_FILES = 1024


def run(
    main: Callable[[], Coroutine[Any, Any, T]], interrupted: Callable[[], str], *, at_terminal: bool = False
) -> T:
    """Run a coroutine to its end.

    The first signal cancels it, and `BuildctlError` is raised with the text that `interrupted` gives then.
    The second cancels that too and leaves as soon as temporary things are gone, in a second at most.
    `at_terminal`, a Ctrl-C is no error but the user's will: `InterruptedByUserError`.
    Raises `BuildctlError` where too few files may be open for a connection.
    """
    _allow_files()
    _leave_no_core()
    sys.setswitchinterval(_TURN_SECONDS)

    async def guarded() -> T:
        task = asyncio.current_task()
        assert task is not None
        signals: list[int] = []

        def interrupt(number: int) -> None:
            signals.append(number)
            task.cancel()
            if len(signals) > 1:
                by_user = at_terminal and signals[0] == signal.SIGINT
                code = ExitCode.INTERRUPTED if by_user else ExitCode.ERROR
                watchdog = threading.Timer(_LEAVE_AFTER_SECONDS, _leave, (code,))
                watchdog.daemon = True
                watchdog.start()

        loop = asyncio.get_running_loop()
        handled = [number for number in _SIGNALS if not _is_nohup(number)]
        for number in handled:
            loop.add_signal_handler(number, interrupt, number)
        try:
            return await main()
        except asyncio.CancelledError:
            if not signals:
                raise
            if at_terminal and signals[0] == signal.SIGINT:
                raise InterruptedByUserError("canceled") from None
            error = BuildctlError(interrupted())
            if signals[0] == signal.SIGHUP:
                error.exit_code = ExitCode.HANGUP
            raise error from None
        finally:
            if signals:  # the end is near, and is not to be cut short by one signal more
                for number in handled:
                    loop.remove_signal_handler(number)
                    signal.signal(number, signal.SIG_IGN)

    return asyncio.run(guarded())


def _leave(code: int) -> None:
    """End the process where it is, with the terminal as it was."""
    echo.restore_all()
    os._exit(code)


def _is_nohup(number: int) -> bool:
    """Whether the caller has the signal ignored as nohup(1) does."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _allow_files() -> None:
    """Raise a limit on open files that is too low, for grpc's core ends the process when it meets one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count_open() + _MORE_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BuildctlError(
            f"at most {hard} files may be open, and {needed} are needed",
            hint="raise the hard limit on open files: `ulimit -Hn`, LimitNOFILE=, or --ulimit nofile=",
        )
    enough = max(needed, _ENOUGH_FILES)
    enough = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def _leave_no_core() -> None:
    """Have the kernel write no core of this process, for secrets, passwords and keys would be in it.

    The hard limit stays, so that who looks for a fault in the program can raise it again: prlimit(1).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
