"""What the transfer of one local directory to the daemon did."""

from __future__ import annotations

from typing import NamedTuple

from buildctl.model.bytesize import format_bytes


class Transfer(NamedTuple):
    """One call for files; a build makes several for one directory, each with its own patterns."""

    name: str
    """The local name, such as `context`."""
    files_walked: int
    """What was looked at and is no folder: files, links and the like, kept by the patterns or not."""
    folders_walked: int
    """Folders that were read, the directory itself among them; excluded ones are not."""
    entries: int
    """Paths announced to the daemon, folders among them: those that the patterns keep."""
    files_requested: int
    """Files that the daemon asked for: the ones it does not have yet."""
    files_sent: int
    """Those of them that were sent to their end."""
    bytes_sent: int
    """What is in those, in bytes."""
    began: float
    """When the daemon asked, in seconds on the clock of the event loop (`loop.time()`)."""
    took: float
    """Seconds until the daemon had everything, or until the transfer failed."""
    unreadable: tuple[str, ...] = ()
    """Paths that could not be read and were left out or sent empty, as `SolveOpt.on_unreadable` says."""
    uniform_times: bool = False
    """Whether all files, ten at least, have one and the same time.

    A daemon compares names, sizes and times, and so may keep an old file where one has changed. False where
    contents are compared.
    """
    complete: bool = True
    """Whether the daemon has everything; False where the transfer failed or was cancelled."""
    odd_times: tuple[str, ...] = ()
    """Paths with times before 1677 or after 2262, which are sent as others: 64 bits of nanoseconds wrap."""
    lost_ignore_files: tuple[tuple[str, str], ...] = ()
    """Ignore files that were asked for and are links to no file in what is sent, each with what it points to:
    the daemon finds no rules there."""
    bytes_moved: int = 0
    """All that was sent, with names, sizes and times of what was announced: what the daemon counts in its
    steps. 0 where nobody has counted."""


def format_transfer(transfer: Transfer) -> str:
    """One line: `context: 50,000 files walked, 20 requested, 20 sent, 1.20MB in 0.6s (2.00MB/s)`.

    print(format_transfer(result.transfers[0]))
    """
    moved = transfer.bytes_moved or transfer.bytes_sent
    size = format_bytes(moved)
    rate = f" ({format_bytes(round(moved / transfer.took))}/s)" if transfer.took > 0 else ""
    files = "file" if transfer.files_walked == 1 else "files"
    return (
        f"{transfer.name}: {transfer.files_walked:,} {files} walked, {transfer.files_requested:,} requested, "
        f"{transfer.files_sent:,} sent, {size} in {transfer.took:.1f}s{rate if transfer.bytes_sent else ''}"
        f"{'' if transfer.complete else ', not complete'}"
    )
