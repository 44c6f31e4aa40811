"""A client that is stopped for so long that the daemon gives its session up says so when the build fails."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import COMMAND, environment

pytestmark = [pytest.mark.daemon, pytest.mark.long, pytest.mark.timeout(180)]

ALIVE_S = 4  # within the patience of all daemons
STOP_S = {"0.8": 18, "0.13": 40}  # by BuildKit's version: it waits 10 or 30 s, and asks every 1 or 5


def stopped_build(engine: Engine, tmp_path: Path, seconds: int, *step: str) -> tuple[int, str]:
    """A build that is stopped once its step runs; its exit status and last line."""
    arguments = ", ".join(f'"{one}"' for one in step)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "Dockerfile").write_text(f'FROM scratch\nCOPY busybox /\nRUN ["/busybox", {arguments}]\n')
    (tmp_path / "busybox").write_bytes(engine.busybox.read_bytes())
    (tmp_path / "busybox").chmod(0o755)
    process = subprocess.Popen(
        [
            *(*COMMAND, "--addr", f"docker://{engine.socket}", "build", "--frontend=dockerfile.v0"),
            *("--local=context=.", "--local=dockerfile=.", "--opt=force-network-mode=none", "--no-cache"),
            *("--progress=plain", "--output=type=local,dest=out"),
        ],
        cwd=tmp_path,
        env=environment(tmp_path, {"TMPDIR": str(tmp_path / "tmp")}),
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if b"[2/2] RUN" in line:
                break
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    return process.returncode, [line for line in said.decode().splitlines() if line.startswith("error: ")][-1]


def test_a_session_that_was_given_up_is_named(engine: Engine, tmp_path: Path) -> None:
    seconds = STOP_S[engine.buildkit]
    exit_, error = stopped_build(engine, tmp_path, seconds, "sleep", str(seconds - 2))
    assert exit_ == 1
    lost, _, then = error.partition("; then the build failed: failed to solve: ")
    assert lost.startswith("error: failed to solve: session lost: the daemon has given it up; ")
    assert re.search(r"the last health check came \d+\.\d s ago|no health check ever came", lost)
    assert re.search(r"; this process did not run for \d+ s until \d+\.\d s ago$", lost)
    assert "no active session" in then or "the client connection is closing" in then


def test_a_failing_step_is_named_where_the_session_lives(engine: Engine, tmp_path: Path) -> None:
    exit_, error = stopped_build(engine, tmp_path, ALIVE_S, "false")
    assert exit_ == 1
    assert error.startswith("error: failed to solve: ")
    assert "session lost" not in error
    assert "exit code: 1" in error
