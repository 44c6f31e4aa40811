"""The program against recorded daemons: the reference's bytes on stdout and stderr, and its exit status.

Each case takes as long as it was recorded, for the plain display's pace depends on that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.replay import load
from tests.support.replay_server import replay_server

CASES = [
    "build-ok",
    "build-cached",
    "build-fail",
    "build-parallel",
    "build-chatty",
    "build-syntaxerr",
    "build-badfrontend",
    "build-badoutput",
    "v0.13-build-fail",
    "v0.8-build-fail",
    "du",
    "du-verbose",
    "du-filter",
    "du-empty",
    "du-json",
    "v0.8-du",
    "v0.8-du-verbose",
    "workers",
    "workers-verbose",
    "workers-json",
    "info",
    "v0.8-workers",
    "v0.13-workers",
    "v0.8-info",
    "prune-all",
    "prune-filter",
    "prune-verbose",
    "v0.8-prune",
    "prune-badduration",
    "histories",
    "histories-empty",
    "histories-json",
    "v0.8-histories",
    "ctl-pin",
    "get",
    "logs",
    "prune-histories",
    "unknown-command",
    "unknown-flag",
]


@pytest.mark.parametrize("name", CASES)
def test_the_program_prints_what_the_reference_printed(name: str, tmp_path: Path) -> None:
    case = load(name)
    socket = tmp_path / "bk.sock"
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    with replay_server(name, socket):
        ran = subprocess.run(
            [sys.executable, "-m", "buildctl", "--addr", f"unix://{socket}", *case.argv],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=55,
        )
    assert ran.stdout == case.stdout
    assert ran.stderr == case.stderr
    assert ran.returncode == case.exit
