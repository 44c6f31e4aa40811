"""What surrounds the process: the only module that reads variables, the clock, streams and terminals."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from buildctl.system import writing

# Goes on while the machine sleeps, as the clock on the wall does.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_ZERO_NS = time.time_ns() - time.clock_gettime_ns(_STEADY)


CONSOLE = "/dev/tty"
"""The terminal that controls the process."""


class Environment(NamedTuple):
    """The outside as one value, so that a test can hand in another."""

    variables: Mapping[str, str] = MappingProxyType({})
    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    """Descriptors; nothing is written past them through Python's own buffered streams."""

    @classmethod
    def system(cls) -> Environment:
        """The process's own. Streams that the caller has closed are opened on /dev/null, as Go does, for the
        next file opened would take their place. grpc's core would write to standard error by itself."""
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        for descriptor in (0, 1, 2):
            try:
                os.fstat(descriptor)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # the lowest that is free, which is this one
        return cls(os.environ)

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, by the clock as it was when the program began. It may be set
        meanwhile: what lies between two instants is still what has passed."""
        return _ZERO_NS + time.clock_gettime_ns(_STEADY)

    def local_time(self, instant_ns: int) -> str:
        """The instant in the local time zone as RFC 3339, to the second: `2026-11-22T13:07:52+01:00`."""
        try:
            moment = datetime.fromtimestamp(instant_ns // 1_000_000_000, UTC).astimezone()
        except (OverflowError, ValueError, OSError):  # out of every calendar
            moment = datetime.fromtimestamp(0, UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    def is_terminal(self, descriptor: int) -> bool:
        """Whether the descriptor is open and a terminal."""
        try:
            return os.isatty(descriptor)
        except OSError:
            return False

    def is_character_device(self, descriptor: int) -> bool:
        """Whether the descriptor is a terminal or a device such as /dev/null: nothing was piped into it."""
        try:
            return stat.S_ISCHR(os.fstat(descriptor).st_mode)
        except OSError:
            return True

    def has_console(self) -> bool:
        """Whether the process has a terminal that it may read, whatever its streams are."""
        try:
            os.close(os.open(CONSOLE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def terminal_size(self, descriptor: int) -> tuple[int, int]:
        """Columns and lines of the terminal, 80 by 10 where it does not say (as the reference)."""
        try:
            columns, lines = os.get_terminal_size(descriptor)
        except OSError:
            columns, lines = 0, 0
        return columns or 80, lines or 10

    def open_in_browser(self, path: str) -> None:
        """Show a file in the user's browser, if there is one: BROWSER names it, else the desktop does."""
        import webbrowser  # loads much, for one command
        from pathlib import Path

        webbrowser.open(Path(path).absolute().as_uri())


def write_all(descriptor: int, text: str | bytes) -> None:
    """Write every byte to the descriptor; text that came from bytes goes out as those bytes."""
    writing.write_all(descriptor, text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)


def program_arguments() -> list[str]:
    """What followed the program's name."""
    return sys.argv[1:]
