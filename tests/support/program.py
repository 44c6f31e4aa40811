"""The program as a user runs it: a process of its own, its output, its exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "buildctl")


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    exit: int
    stdout: str
    stderr: str


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a run: nothing of the caller's but what measures coverage."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {**kept, "PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": str(ROOT), **(extra or {})}


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
