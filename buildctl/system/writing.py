"""Writes all bytes to a descriptor: one call of write(2) may take a part of them, or none for now."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence

Data = bytes | bytearray | memoryview

_TOGETHER = 1024
"""What writev(2) takes at once (IOV_MAX on Linux and macOS)."""
_AT_ONCE = 64 << 10
"""Bytes between two reports of progress: what a pipe holds."""


def write_all(descriptor: int, data: Data, progressed: Callable[[], None] | None = None) -> None:
    """Write every byte. Raises `OSError`, such as `BrokenPipeError` where the reader has left.

    Waits where the descriptor is not to wait: who shares a pipe or terminal may have made it so.
    `progressed` is told of each piece of at most 64 KiB that the other side has taken.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest if progressed is None else rest[:_AT_ONCE]) :]
        except BlockingIOError:
            _wait(descriptor)
        else:
            if progressed is not None:
                progressed()


def write_pieces(descriptor: int, pieces: Sequence[Data]) -> None:
    """Write all pieces in order, many with one call, as `write_all` does one. Raises `OSError`."""
    for start in range(0, len(pieces), _TOGETHER):
        together = pieces[start : start + _TOGETHER]
        try:
            written = (
                os.write(descriptor, together[0]) if len(together) == 1 else os.writev(descriptor, together)
            )
        except BlockingIOError:
            written = 0
        for piece in together:
            if written >= len(piece):
                written -= len(piece)
                continue
            write_all(descriptor, memoryview(piece)[written:])
            written = 0


def _wait(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
