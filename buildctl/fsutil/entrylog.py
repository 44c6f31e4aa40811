"""Remembers the entries of a transfer in a file, so that a list of millions takes little memory.

A sender may list ten million files before it delivers the first one. Of each, memory has five bytes: where
its packet ends in the file, and its state. The file has no name, so nothing can be left of it, and is made
once there is a megabyte to write. Entries come in the order of a walk, so a path is found by bisection.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import BinaryIO

from buildctl._pb.fsutil_pb2 import Packet, Stat
from buildctl.errors import ProtocolError
from buildctl.system.failure import write_failure
from buildctl.system.writing import write_pieces

MAX_ENTRIES = 10_000_000
MAX_BYTES = 4 << 30
_TOGETHER = 1 << 20
_READ_AHEAD = 1 << 14
_KEEP = "keep the list of entries in a temporary file"

# States. Plain numbers, as they are the items of a bytearray.
OTHER, DIRECTORY, REQUESTED, WHOLE, LINK, LEFT_OUT = range(6)
"""WHOLE is a file or device that is in its place, LINK a hard link, LEFT_OUT a device that was not made."""


class EntryLog:
    """Entries by number, from 0 up."""

    def __init__(self, make_file: Callable[[], BinaryIO]) -> None:
        """`make_file` gives an unbuffered file for reading and writing."""
        self.states = bytearray()
        self._make_file = make_file
        self._file: BinaryIO | None = None
        self._saved = 0  # bytes in the file
        self._unsaved = bytearray()
        self._ends = array("I")
        # What was read last: senders deliver files about in the order in which they list them.
        self._window_start, self._window = 0, b""

    def add(self, packet: bytes, state: int) -> None:
        """Remember the next entry.

        Raises `ProtocolError` for more than anyone exports, and `TransferError` where the disk refuses it.
        """
        self._unsaved += packet
        end = self._saved + len(self._unsaved)
        if end >= MAX_BYTES or len(self.states) >= MAX_ENTRIES:
            raise ProtocolError(
                f"the sender lists more than {MAX_ENTRIES:,} entries, or {MAX_BYTES >> 30} GiB of them",
                hint="export so many files as one, with output type tar",
            )
        self._ends.append(end)
        self.states.append(state)
        if len(self._unsaved) >= _TOGETHER:
            self._save()

    def stat(self, number: int) -> Stat:
        """An entry as it came. Raises `TransferError`."""
        start = self._ends[number - 1] if number else 0
        end = self._ends[number]
        if start >= self._saved:
            packet = bytes(self._unsaved[start - self._saved : end - self._saved])
        else:
            if not self._window_start <= start <= end <= self._window_start + len(self._window):
                self._read(start, end)
            packet = self._window[start - self._window_start : end - self._window_start]
        return Packet.FromString(packet).stat

    def find(self, path: bytes) -> int | None:
        """The number of a path, if it was listed. Raises `TransferError`."""
        number = bisect_left(range(len(self.states)), _key(path), key=lambda at: _key(self.stat(at).path))
        return number if number < len(self.states) and self.stat(number).path == path else None

    def numbers(self, state: int) -> Iterator[int]:
        """The entries in a state, first to last."""
        number = self.states.find(state)
        while number >= 0:
            yield number
            number = self.states.find(state, number + 1)

    def numbers_from_last(self, state: int) -> Iterator[int]:
        """The entries in a state, last to first."""
        number = self.states.rfind(state)
        while number >= 0:
            yield number
            number = self.states.rfind(state, 0, number)

    def close(self) -> None:
        """Give the file back to the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, start: int, end: int) -> None:
        assert self._file is not None
        try:
            self._window = os.pread(self._file.fileno(), max(end - start, _READ_AHEAD), start)
        except OSError as error:
            raise write_failure(_KEEP, error) from error
        self._window_start = start

    def _save(self) -> None:
        if self._file is None:
            self._file = self._make_file()
        try:
            write_pieces(self._file.fileno(), [self._unsaved])
        except OSError as error:
            raise write_failure(_KEEP, error) from error
        self._saved += len(self._unsaved)
        self._unsaved = bytearray()


def _key(path: bytes) -> bytes:
    """What a walk sorts by: one component after another, and no component has a NUL byte."""
    return path.replace(b"/", b"\0")
