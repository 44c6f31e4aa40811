"""Runs a throwaway daemon, and ends it with the command that wanted it, however that command ends.

A program of its own, started as `python -I supervise.py ROOT CGROUP COMMAND...`: its standard input is a
pipe from the command, whose end comes even when the command is killed. Then the daemon is ended, and its
control groups and its root folder are removed. Only the standard library is imported.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from buildctl.system.smallfile import read_found

_MOST_BYTES = 1 << 20
_GRACE_SECONDS = 1.0
_REMOVAL_SECONDS = 5.0


def main(root: str, cgroup: str, command: list[str]) -> int:
    """Run `command` until it ends or standard input does; the daemon's exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever ends this ends the command too, and that is seen. The daemon does not inherit a handler.
        signal.signal(number, lambda *_: None)
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=root)  # noqa: S603
    try:
        ends = select.poll()
        ends.register(0, select.POLLIN | select.POLLHUP)
        ends.register(os.pidfd_open(daemon.pid), select.POLLIN)
        ends.poll()
    finally:
        _end(daemon)
        _remove_cgroups(cgroup)
        _remove_tree(root)
    return abs(daemon.wait())


def _end(daemon: subprocess.Popen[bytes]) -> None:
    """Politely, then not. The daemon is the first process in a pid namespace: the kernel ends the others."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if daemon.poll() is not None:
            return
        for pid in _children(daemon.pid) or [daemon.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(_GRACE_SECONDS)
    daemon.kill()
    daemon.wait()


def _children(pid: int) -> list[int]:
    """unshare(1) stays as the daemon's parent and would keep a signal to itself."""
    try:
        return [
            int(child) for child in read_found(f"/proc/{pid}/task/{pid}/children", limit=_MOST_BYTES).split()
        ]
    except OSError:
        return []


def _remove_cgroups(name: str) -> None:
    """The groups of build steps that were under way; version 1 has a hierarchy for each controller."""
    if not name:
        return
    top = Path("/sys/fs/cgroup")
    for group in (top / name, *top.glob(f"*/{name}")):
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def _remove_tree(root: str) -> None:
    """Until it is gone: the last mounts of a dying namespace may hold it for a moment."""
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while os.path.lexists(root):
        shutil.rmtree(root, ignore_errors=True)
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
