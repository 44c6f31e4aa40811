"""The supervisor ends a daemon with its command and removes what it had, whichever of them goes first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from buildctl.transport import supervise


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "file").touch()
    return folder


def start(root: Path, script: str) -> subprocess.Popen[bytes]:
    """A supervised shell; returns once the script has said that it runs."""
    process = subprocess.Popen(
        [sys.executable, "-I", supervise.__file__, root, "", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.daemon = int(process.stdout.readline())  # type: ignore[attr-defined]
    return process


def finish(process: subprocess.Popen[bytes]) -> int:
    with process:
        status = process.wait(10)
    assert not Path(f"/proc/{process.daemon}").exists()  # type: ignore[attr-defined]
    return status


def test_the_command_ends(root: Path) -> None:
    process = start(root, "echo $$; exec sleep 60")
    assert process.stdin is not None
    process.stdin.close()
    assert finish(process) == signal.SIGTERM
    assert not root.exists()


def test_a_daemon_that_will_not_end(root: Path) -> None:
    process = start(root, "trap '' TERM; echo $$; while :; do sleep 0.1; done")
    assert process.stdin is not None
    begin = time.monotonic()
    process.stdin.close()
    assert finish(process) == signal.SIGKILL
    assert time.monotonic() - begin < 4
    assert not root.exists()


def test_the_daemon_ends(root: Path) -> None:
    assert finish(start(root, "echo $$; exit 7")) == 7
    assert not root.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_the_commands_to_handle(root: Path, number: signal.Signals) -> None:
    process = start(root, "echo $$; exec sleep 60")
    os.kill(process.pid, number)
    time.sleep(0.1)
    assert root.exists()
    assert process.stdin is not None
    process.stdin.close()
    finish(process)
    assert not root.exists()


def test_the_command_is_killed(root: Path) -> None:
    """Nothing but the death of the process that holds the pipe tells the supervisor."""
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    supervised = [sys.executable, "-I", supervise.__file__, str(root), "", "sleep", "60"]
    with subprocess.Popen([sys.executable, "-c", script, *supervised], stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        supervisor = int(command.stdout.readline())
        command.kill()
    deadline = time.monotonic() + 5
    while root.exists() or Path(f"/proc/{supervisor}").exists():
        if (
            Path(f"/proc/{supervisor}").exists()
            and "Z" in Path(f"/proc/{supervisor}/stat").read_text().split()[2]
        ):
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not root.exists()
