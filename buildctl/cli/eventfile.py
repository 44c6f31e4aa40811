"""`build --events FILE|fd:N`: a build as lines of JSON, for programs, on a channel of their own."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import stat

from buildctl.cli.background import BACKLOG_LIMIT, Background
from buildctl.cli.outfile import open_file
from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.model.solve import SolveOpt, StdoutDestination
from buildctl.model.status import SolveStatus
from buildctl.model.transfer import Transfer
from buildctl.progress.events import encode_dropped, encode_events, encode_start, encode_transfer
from buildctl.system.failure import errno_text
from buildctl.system.writing import write_all

PATIENCE_S = 2.0
"""How long the end waits for a reader that takes nothing."""

logger = logging.getLogger(__name__)


class EventFile:
    """Lines on an open descriptor; `update` is a status sink that never waits.

    What a reader leaves lying beyond `limit` bytes is dropped and counted.
    """

    def __init__(self, name: str, descriptor: int, *, limit: int = BACKLOG_LIMIT) -> None:
        self._name = name
        self.descriptor = descriptor
        self._dropped = 0
        self._background = Background(self._write, limit=limit)

    def begin(self, ref: str, now_ns: int) -> None:
        """The first event."""
        self._put(encode_start(ref, now_ns))

    def update(self, status: SolveStatus) -> None:
        """Those of a message."""
        for line in encode_events(status):
            self._put(line)

    def note_transfer(self, transfer: Transfer) -> None:
        """The end of a transfer."""
        self._put(encode_transfer(transfer))

    def end(self, result: bytes) -> None:
        """Write the last event, and warn where the file cannot be written or nobody has read it."""
        self._put(result, at_last=True)
        if self._background.close(PATIENCE_S):
            return
        failure = self._background.failure
        reason = "nobody reads" if failure is None else errno_text(failure)
        logger.warning("events are missing: write %s: %s", self._name, reason)

    def _put(self, line: bytes, *, at_last: bool = False) -> None:
        background = self._background
        if self._dropped:
            note = encode_dropped(self._dropped)
            if background.put(note, len(note), at_last=at_last):
                self._dropped = 0
        if self._dropped or not background.put(line, len(line), at_last=at_last):
            self._dropped += 1

    def _write(self, lines: list[bytes]) -> None:
        write_all(self.descriptor, b"".join(lines), self._background.progressed)


def open_events(target: str, stdout: int) -> EventFile:
    """The channel that `--events` names: a file, `fd:N`, or `-` for standard output.

    Raises `BuildctlError` for one that cannot be written. To be asked before other files are opened, which
    could get the number that is meant.
    """
    if target == "-":
        return EventFile("standard output", _inherited(stdout, target))
    if target.startswith("fd:"):
        number = re.fullmatch("[0-9]{1,9}", target[3:])
        if number is None:
            raise UsageError(
                f"invalid value {quote(target)} for --events", hint="fd: takes a number, as in fd:3"
            )
        return EventFile(target, _inherited(int(number[0]), target))
    return EventFile(target, _open(target))


def refuse_stdout(events: EventFile, opt: SolveOpt, stdout: int) -> None:
    """Raises `UsageError` where a result is to be written among the events."""
    exports = any(isinstance(export.destination, StdoutDestination) for export in opt.exports)
    if exports and events.descriptor == stdout:
        raise UsageError(
            "--events and --output cannot both write to standard output", hint="use --events=fd:3 3>FILE"
        )


def _inherited(number: int, target: str) -> int:
    """The descriptor, if whoever has started this process gave it one that can be written."""
    hint = "open it for this command: --events=fd:3 3>events.jsonl"
    try:
        flags = fcntl.fcntl(number, fcntl.F_GETFD)
        mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
    except (OSError, OverflowError):
        flags, mode = fcntl.FD_CLOEXEC, os.O_RDONLY
    if number > 2 and flags & fcntl.FD_CLOEXEC:  # Python's own are closed on exec, inherited ones are not
        raise UsageError(f"--events {target}: bad file descriptor", hint=hint)
    if mode == os.O_RDONLY:
        raise UsageError(f"--events {target}: not open for writing", hint=hint)
    os.set_inheritable(number, number <= 2)
    return number


def _open(path: str) -> int:
    """A file that is emptied, or a named pipe that somebody reads already."""
    flags = os.O_TRUNC
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            flags = os.O_NONBLOCK
    except OSError:  # opening it will tell
        pass
    return open_file(path, flags)
