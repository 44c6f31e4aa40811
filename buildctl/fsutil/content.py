"""The content of the files that were asked for, as DATA packets.

A hop to a worker thread for each file would cost more than reading a small one, so files are read in
batches; a header made by hand saves protobuf's two copies of every byte. Some files are opened ahead and
announced to the kernel, which then reads them side by side. Measured on 50,000 files of 3 KB: nothing is lost
when they are in memory (0.32 s both ways), and from a cold disk they come in 1.4 s, where one thread without
takes 6.9 and four take 3.5 to 4.8.
"""

from __future__ import annotations

import errno
import os
import stat as st
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from buildctl._pb.fsutil_pb2 import Packet
from buildctl.errors import TransferError
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.unreadable import Unreadable
from buildctl.system.failure import read_failure

if TYPE_CHECKING:
    from buildctl.fsutil.watcher import Watcher

BATCH_BYTES = 512 * 1024
CHUNK_BYTES = 256 * 1024
_OPEN_AHEAD = 64
_DATA_FIELD = b"\x22"  # field 4 of Packet, length-delimited
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe in a file's place must not stall


class Requested(NamedTuple):
    """A file as it was announced."""

    number: int
    path: bytes
    size: int


def packets(
    files: Iterable[Requested],
    root: Directories | None,
    root_path: bytes,
    unreadable: Unreadable | None = None,
    watcher: Watcher | None = None,
    in_memory: Callable[[bytes], bytes | None] | None = None,
) -> Generator[list[bytes]]:
    """Batches of packets: the content of each file, and its end.

    Raises `TransferError` for a file that cannot be read, or is not as long as was announced: the daemon
    would keep what it got under the old size and time. `unreadable` decides which may be sent empty,
    and `watcher` sees all that is sent. `in_memory` gives the content of files that the disk is not asked
    for.
    """
    batch: list[bytes] = []
    weight = 0
    packet = Packet(type=Packet.PACKET_DATA)
    for file, chunks in _opened(files, root, root_path, unreadable, watcher, in_memory):
        packet.ID = file.number
        end = packet.SerializeToString()
        head = end + _DATA_FIELD
        for chunk in chunks:
            batch.append(b"%b%b%b" % (head, _varint(len(chunk)), chunk))
            weight += len(chunk)
            if weight >= BATCH_BYTES:
                yield batch
                batch, weight = [], 0
        batch.append(end)
        weight += FILE_WEIGHT
    if batch:
        yield batch


FILE_WEIGHT = 512
"""What a file counts beside its bytes, so that a batch of empty ones ends, too."""


def _opened(
    files: Iterable[Requested],
    root: Directories | None,
    root_path: bytes,
    unreadable: Unreadable | None,
    watcher: Watcher | None,
    in_memory: Callable[[bytes], bytes | None] | None,
) -> Iterator[tuple[Requested, Iterable[bytes]]]:
    """Each file with its content, opened some files ahead."""
    waiting = iter(files)
    opened: deque[tuple[Requested, int | bytes | None]] = deque()
    try:
        while group := list(islice(waiting, _OPEN_AHEAD)):
            for file in group:
                data = in_memory(file.path) if in_memory else None
                if data is None:
                    assert root is not None, "without a root all files are in memory"
                    opened.append((file, _open(file, root, root_path, unreadable)))
                else:
                    opened.append((file, data))
            while opened:
                file, descriptor = opened.popleft()
                if isinstance(descriptor, bytes):
                    yield file, _pieces(descriptor)
                    continue
                chunks = () if descriptor is None else _chunks(file, descriptor, root_path, unreadable)
                yield file, watcher.content(file, descriptor, chunks) if watcher else chunks
    finally:
        for _, descriptor in opened:
            if isinstance(descriptor, int):
                os.close(descriptor)


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))


def _open(file: Requested, root: Directories, root_path: bytes, unreadable: Unreadable | None) -> int | None:
    """The descriptor of a file; None for one to be sent empty, such as a socket, which is announced so."""
    folder, _, name = file.path.rpartition(b"/")
    try:
        parent = root.descriptor(folder)
        try:
            descriptor = os.open(name, _FLAGS, dir_fd=parent)
        except OSError as error:
            if error.errno == errno.ENXIO and _is_socket(name, parent):
                return None
            raise
    except OSError as error:
        if unreadable and unreadable.sends_empty(file.path, error):
            return None
        raise read_failure("open", os.path.join(root_path, file.path), error) from error
    if sys.platform == "linux":
        with suppress(OSError):  # a pipe, which fails when it is read
            os.posix_fadvise(descriptor, 0, CHUNK_BYTES, os.POSIX_FADV_WILLNEED)
    return descriptor


def _chunks(
    file: Requested, descriptor: int, root_path: bytes, unreadable: Unreadable | None
) -> Iterator[bytes]:
    """What is in a file, which is closed at the end."""
    try:
        left = file.size
        while left >= 0:
            asked = min(left + 1, CHUNK_BYTES)  # one more than there should be
            chunk = os.read(descriptor, asked)
            left -= len(chunk)
            if chunk and left >= 0:
                yield chunk
            if not chunk or (not left and len(chunk) < asked):
                break
    except OSError as error:
        if unreadable and left == file.size and unreadable.sends_empty(file.path, error):
            return
        raise read_failure("read", os.path.join(root_path, file.path), error) from error
    finally:
        os.close(descriptor)
    if left:
        change = "grew" if left < 0 else "shrank"
        raise TransferError(
            f"read {os.path.join(root_path, file.path).decode('utf-8', 'backslashreplace')}: "
            f"file {change} while it was sent ({file.size} bytes announced)",
            hint="build again once nothing writes to it, or exclude it in .dockerignore",
        )


def _is_socket(name: bytes, parent: int) -> bool:
    return st.S_ISSOCK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
