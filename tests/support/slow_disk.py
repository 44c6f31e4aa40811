"""A disk that is slow or broken: a FUSE file system of one file of zeros, served by a process of its own.

It speaks the kernel's protocol on /dev/fuse (linux/fuse.h), so that nothing has to be installed; needs root.
The mount is in a mount namespace of the server's own, which dies with the test run: whatever ends either, the
kernel drops the mount. It is reached through the server's /proc/PID/root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_fuse = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="mounts a file system with FUSE, as root"
)

NAME = "slow"
_ROOT, _FILE = 1, 2
_UNANSWERED = (2, 36, 38, 42)  # FORGET, INTERRUPT, DESTROY, BATCH_FORGET
_HEADER = struct.Struct("=IIQQ16x")  # length, opcode, unique, node
_MAX_WRITE = 1 << 17


@contextmanager
def slow_disk(path: Path, size: int, delay_s: float = 0.0, broken_at: int | None = None) -> Iterator[Path]:
    """Mount one on `path`, which is created: `slow` in it has `size` bytes, each read takes `delay_s`.

    Reading fails with EIO from the byte `broken_at` on, a multiple of 4096. Gives the path under which other
    processes see it.
    """
    path.mkdir()
    alone = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"]
    command = [*alone, sys.executable, "-m", __name__, str(path), str(size), str(delay_s)]
    if broken_at is not None:
        command.append(str(broken_at))
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"mounted\n"
        yield Path(f"/proc/{process.pid}/root{path}")
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class _Disk:
    def __init__(self, size: int, delay_s: float, broken_at: int) -> None:
        self._size = size
        self._delay_s = delay_s
        self._broken_at = broken_at

    def answer(self, opcode: int, node: int, body: bytes) -> bytes | int:
        """The answer's body, or an error number."""
        match opcode:
            case 26:  # INIT
                return struct.pack("=IIIIHHIIHHII24x", 7, 31, _MAX_WRITE, 0, 16, 12, _MAX_WRITE, 1, *bytes(4))
            case 1:  # LOOKUP
                if node != _ROOT or body.rstrip(b"\0") != NAME.encode():
                    return errno.ENOENT
                return struct.pack("=QQQQII", _FILE, 0, 60, 60, 0, 0) + self._attributes(_FILE)
            case 3:  # GETATTR
                return struct.pack("=QII", 60, 0, 0) + self._attributes(node)
            case 14 | 27:  # OPEN, OPENDIR
                return bytes(16)
            case 15:  # READ
                offset, wanted = struct.unpack_from("=QI", body, 8)
                time.sleep(self._delay_s)
                if offset + wanted > self._broken_at:  # the kernel asks again for the pages that it needs
                    return errno.EIO
                return bytes(max(0, min(wanted, self._size - offset)))
            case 28:  # READDIR
                (offset,) = struct.unpack_from("=Q", body, 8)
                return b"" if offset else struct.pack("=QQII8s", _FILE, 1, len(NAME), 8, NAME.encode())
            case 18 | 25 | 29:  # RELEASE, FLUSH, RELEASEDIR
                return b""
            case _:
                return errno.ENOSYS

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o100644, self._size) if node == _FILE else (0o40755, 0)
        return struct.pack(
            "=QQQQQQIIIIIIIIII", node, size, 0, *[10**9] * 3, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0
        )


def serve(path: str, size: int, delay_s: float, broken_at: int) -> None:
    """Mount, say so, and answer the kernel until it is unmounted."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"slow", path.encode(), b"fuse", 0, options) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    print("mounted", flush=True)
    disk = _Disk(size, delay_s, broken_at)
    while True:
        try:
            request = os.read(device, _MAX_WRITE + 4096)
        except OSError as error:
            if error.errno == errno.ENODEV:  # unmounted
                return
            if error.errno in (errno.ENOENT, errno.EINTR):  # a request that was taken back
                continue
            raise
        _, opcode, unique, node = _HEADER.unpack_from(request)
        if opcode in _UNANSWERED:
            continue
        answer = disk.answer(opcode, node, request[_HEADER.size :])
        body, number = (b"", answer) if isinstance(answer, int) else (answer, 0)
        with_header = struct.pack("=IiQ", 16 + len(body), -number, unique) + body
        try:
            os.write(device, with_header)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise


if __name__ == "__main__":
    _, mounted_on, its_size, its_delay, *its_end = sys.argv
    serve(mounted_on, int(its_size), float(its_delay), int(its_end[0]) if its_end else int(its_size))
