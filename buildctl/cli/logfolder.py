"""`build --log-dir DIR`: a folder for each build, with a file for each step that prints and the events."""

from __future__ import annotations

import logging
import os
import re
from datetime import UTC, datetime

from buildctl.cli.background import Background
from buildctl.cli.eventfile import EventFile
from buildctl.errors import BuildctlError
from buildctl.model.status import SolveStatus
from buildctl.system.failure import errno_text
from buildctl.system.folders import make_private
from buildctl.system.writing import write_pieces

_SLUG_LIMIT = 60
_FILES = 2000
"""Files of steps; what further ones print is together in one."""
_OTHERS = "others.log"
_PATIENCE_S = 10.0
"""How long the end waits for a disk that takes nothing."""

logger = logging.getLogger(__name__)


class LogFolder:
    """The folder of one build below `parent`; `update` is a status sink that never waits.

    Raises `BuildctlError` where it cannot be made. Only the user may read what is in it.
    """

    def __init__(self, parent: str, ref: str, now_ns: int) -> None:
        started = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        self.path = os.path.join(parent, f"{started}-{ref[:8]}")
        try:
            make_private(parent)
            os.mkdir(self.path, 0o700)
            events = self._open("events.jsonl")
        except OSError as error:
            reason = errno_text(error)
            raise BuildctlError(
                f"mkdir {self.path}: {reason}", hint="name a folder that can be written with --log-dir"
            ) from None
        self.events = EventFile(os.path.join(self.path, "events.jsonl"), events)
        self._names: dict[str, str] = {}
        self._lost = False
        self._background = Background(self._write)

    def update(self, status: SolveStatus) -> None:
        """Write what the steps have printed, as they did."""
        for vertex in status.vertexes:
            self._name(vertex.digest, vertex.name)
        for log in status.logs:
            name = self._name(log.vertex)
            if not self._background.put((name, log.data), len(log.data)):
                self._lost = True
        self.events.update(status)

    def _name(self, digest: str, step: str = "") -> str:
        """The file of a step, which is called `step` if that is known."""
        name = self._names.get(digest)
        if name is None:
            if len(self._names) >= _FILES:
                return _OTHERS
            name = self._names[digest] = _file_name(len(self._names) + 1, step)
        return name

    def close(self) -> None:
        """Wait until the logs are written, and warn of what is missing."""
        done = self._background.close(_PATIENCE_S)
        failure = self._background.failure
        if failure is not None:
            reason = errno_text(failure)
            logger.warning("logs are missing: write %s: %s", self.path, reason)
        elif self._lost or not done:
            logger.warning("logs are missing: the disk of %s is too slow", self.path)

    def _write(self, pieces: list[tuple[str, bytes]]) -> None:
        files: dict[str, list[bytes]] = {}
        for name, data in pieces:
            files.setdefault(name, []).append(data)
        for name, parts in files.items():
            descriptor = self._open(name)
            try:
                write_pieces(descriptor, parts)
            finally:
                os.close(descriptor)

    def _open(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(os.path.join(self.path, name), flags, 0o600)


def _file_name(number: int, name: str) -> str:
    """`007-build-2-3-run-make.log`: letters, digits and hyphens, whatever the step is called."""
    slug = re.sub("[^a-z0-9]+", "-", name[: 4 * _SLUG_LIMIT].lower()).strip("-")[:_SLUG_LIMIT].strip("-")
    return f"{number:03}-{slug}.log" if slug else f"{number:03}.log"
