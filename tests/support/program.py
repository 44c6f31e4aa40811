"""The program as a user runs it: a process of its own, its output, its exit status."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import packages

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "buildctl")


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    exit: int
    stdout: str
    stderr: str


def environment(
    home: Path, extra: Mapping[str, str] | None = None, *, measured: bool = True
) -> dict[str, str]:
    """The variables of a run: nothing of the caller's but what measures coverage, if that is to be."""
    kept = {name: value for name, value in os.environ.items() if measured and name.startswith("COVERAGE_")}
    wrapped = [folder for folder in os.environ["PATH"].split(":") if Path(folder).name == packages.WRAPPED]
    return {
        **kept,
        "PATH": ":".join([*wrapped, "/usr/bin", "/bin"]),
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        **(extra or {}),
    }


def run(*arguments: str, cwd: Path, variables: Mapping[str, str] | None = None, timeout: float = 50) -> Ran:
    """Run `buildctl ARGUMENTS` in a folder, with nothing on standard input."""
    ran = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(cwd, variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
    )
    return Ran(ran.returncode, ran.stdout.decode(errors="replace"), ran.stderr.decode(errors="replace"))


def run_in_terminal(
    *arguments: str,
    cwd: Path,
    variables: Mapping[str, str] | None = None,
    size: tuple[int, int] = (80, 24),
    timeout: float = 50,
) -> Ran:
    """Run it with a terminal of so many columns and lines as its streams; all output counts as stdout."""
    ours, theirs = pty.openpty()
    columns, lines = size
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(cwd, {"TERM": "xterm-256color", **(variables or {})}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    output = bytearray()
    deadline = time.monotonic() + timeout
    try:
        while select.select([ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:  # how Linux says that nobody has the terminal open any more
                break
            output += data
        else:
            process.kill()
            raise TimeoutError(f"still running after {timeout} s: {output.decode(errors='replace')}")
        return Ran(process.wait(), output.decode(errors="replace").replace("\r\n", "\n"), "")
    finally:
        os.close(ours)


def start(*arguments: str, cwd: Path, variables: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start it and return; the caller ends it."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(cwd, variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
