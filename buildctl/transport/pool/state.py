"""What this user's processes know of daemons, shared between them: who failed, who builds how much.

It is one file of JSON below XDG_STATE_HOME, changed under a lock. It only helps to choose: where it cannot be
read, written or locked in a moment, each process does without, and nothing fails for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from buildctl.system.beside import replace_file
from buildctl.system.folders import make_private
from buildctl.system.smallfile import read_found

T = TypeVar("T")

logger = logging.getLogger("buildctl")

_MOST_BYTES = 4 * 1024 * 1024
_LOCK_SECONDS = 0.5
_LOCK_POLL_SECONDS = 0.002
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 120.0
_FORGET_SECONDS = 7 * 86400.0


@dataclass
class Known:
    """What is known of one daemon. Instants are seconds since the epoch."""

    failures: int = 0
    """In a row; each makes the pause twice as long."""
    until: float = 0.0
    """When the pause ends."""
    answered: float = 0.0
    """When it last answered."""
    platforms: list[str] | None = None
    builds: list[list[int]] = field(default_factory=list)
    """A process and a number of its own for each build that runs."""

    def rests(self, now: float) -> bool:
        """Whether it is to be left alone. A clock that was set back must not make that a long time."""
        return now < self.until <= now + _LONGEST_PAUSE_SECONDS

    def note_answer(self, now: float, platforms: Iterable[str]) -> None:
        self.failures, self.until, self.answered, self.platforms = 0, 0.0, now, list(platforms)

    def note_failure(self, now: float) -> None:
        if self.rests(now):
            return  # another process has met the same failure
        self.until = now + min(_FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures, 10), _LONGEST_PAUSE_SECONDS)
        self.failures += 1


class Daemons:
    """What is known, by address; what nobody knows of yet is found empty."""

    def __init__(self, entries: dict[str, Known]) -> None:
        self.entries = entries

    def __getitem__(self, name: str) -> Known:
        return self.entries.setdefault(name, Known())

    def release(self, build: list[int]) -> None:
        """A build has ended, wherever it ran."""
        for known in self.entries.values():
            known.builds = [one for one in known.builds if one != build]


class State:
    """The shared file. Its methods read and write files: call them in a thread."""

    def __init__(self, folder: str, clock: Callable[[], float] = time.time) -> None:
        """`folder` need not exist; empty is for no file, and what is known lasts as long as this object."""
        self._path = os.path.join(folder, "daemons.json") if folder else ""
        self._own: dict[str, Known] = {}
        self.clock = clock

    def change(self, function: Callable[[Daemons], T]) -> T:
        """Run the function on what is known, and keep what it made of that."""
        try:
            with self._locked():
                daemons = Daemons(self._read())
                result = function(daemons)
                self._write(daemons.entries)
                self._own = daemons.entries
                return result
        except _NoStateError as error:
            logger.debug("what is known of daemons is not shared: %s", error)
            return function(Daemons(self._own))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._path:
            raise _NoStateError("there is no place for it")
        try:
            make_private(os.path.dirname(self._path))
            descriptor = os.open(
                self._path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise _NoStateError(str(error)) from error
        try:
            _lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> dict[str, Known]:
        """What is in the file; of a damaged one nothing."""
        try:
            found = json.loads(read_found(self._path, limit=_MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        now = self.clock()
        entries = {name: _known(value) for name, value in found.items() if isinstance(value, dict)}
        for known in entries.values():
            known.builds = [build for build in known.builds if _is_alive(build[0])]
        return {
            name: known
            for name, known in entries.items()
            if known.builds or max(known.answered, known.until) > now - _FORGET_SECONDS
        }

    def _write(self, entries: dict[str, Known]) -> None:
        data = json.dumps({name: asdict(known) for name, known in entries.items()}).encode()
        try:
            replace_file(self._path, [data], 0o600)
        except OSError as error:
            logger.debug("cannot keep what is known of daemons: %s", error)


class _NoStateError(Exception):
    """The file is not to be had."""


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _NoStateError("another process holds it") from None
            time.sleep(_LOCK_POLL_SECONDS)
        except OSError as error:  # a file system without locks
            raise _NoStateError(str(error)) from error


def _known(value: dict[str, Any]) -> Known:
    """The entry, without what is not as it should be: others may have written into the file."""
    known = Known()
    for one in fields(Known):
        found = value.get(one.name)
        if one.name == "builds":
            known.builds = [build for build in found or () if _is_build(build)] if _is_list(found) else []
        elif one.name == "platforms":
            known.platforms = [str(text) for text in found] if isinstance(found, list) else None
        elif isinstance(found, int | float) and not isinstance(found, bool):
            setattr(known, one.name, max(0, int(found)) if one.name == "failures" else float(found))
    return known


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_build(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(number) is int for number in value)


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True
