"""What looking at every file of a folder costs: bare system calls, the walk, and the list that is sent.

`python -m benchmarks.floor FOLDER` prints CPU time an entry; the least of several rounds, for other work on
the machine only ever adds to it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing

from buildctl.fsutil.directories import Directories
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.listing import Listing
from buildctl.fsutil.walk import Entry, walk

_ROUNDS = 5


def read_folders(root: bytes, look: Callable[[bytes, int, bytes], object] = lambda *_: None) -> int:
    """Read every folder and `look(folder, its descriptor, name)` at what is in it; the number of names."""
    count = 0
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with os.scandir(descriptor) as found:
            for entry in found:
                name = os.fsencode(entry.name)
                look(folder, descriptor, name)
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(folder + b"/" + name)
        os.close(descriptor)
    return count


def _stat(folder: bytes, descriptor: int, name: bytes) -> None:
    os.stat(name, dir_fd=descriptor, follow_symlinks=False)


def _stat_and_list(folder: bytes, descriptor: int, name: bytes) -> None:
    os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    if sys.platform == "linux":
        os.listxattr(folder + b"/" + name, follow_symlinks=False)


def _entries(root: bytes) -> Iterator[Entry]:
    with closing(Directories(os.open(root, os.O_RDONLY | os.O_DIRECTORY))) as folders:
        yield from walk(folders, root, Filter((), ()))


def _seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def main() -> None:
    root = os.fsencode(sys.argv[1])
    count = read_folders(root)
    works: dict[str, Callable[[], object]] = {
        "folders read": lambda: read_folders(root),
        "and every entry's stat": lambda: read_folders(root, _stat),
        "and extended attributes": lambda: read_folders(root, _stat_and_list),
        "the walk": lambda: deque(_entries(root), maxlen=0),
        "the walk, and its list": lambda: deque(Listing().announce(_entries(root)), maxlen=0),
    }
    for title, work in works.items():
        least = min(_seconds(work) for _ in range(_ROUNDS))
        print(f"{title:24} {least / count * 1e6:5.1f} µs an entry")


if __name__ == "__main__":
    main()
