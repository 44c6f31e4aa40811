"""Lock files that exist only while somebody holds them, for processes that share a layout."""

from __future__ import annotations

import fcntl
import os


def try_lock(path: str, *, folder: int | None = None) -> int | None:
    """The locked descriptor of the lock file, below `folder` if given; None while somebody else has it.

    Whoever holds it removes the file and then closes the descriptor. Raises `OSError`.
    """
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644, dir_fd=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            there = os.stat(path, dir_fd=folder, follow_symlinks=False)
            if os.path.samestat(os.fstat(descriptor), there):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another holder removed the file just now: the next one is a file of its own
