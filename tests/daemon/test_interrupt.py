"""Ctrl-C: the first ends the build on the daemon and is shown; the second leaves at once; nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import COMMAND, environment

pytestmark = pytest.mark.daemon

BUILD = ("build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.")
MORE = (
    "--progress",
    "plain",
    "--opt",
    "force-network-mode=none",
    "--no-cache",
    "--output",
    "type=local,dest=out",
)


@pytest.fixture
def build(engine: Engine, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A build that is in the middle of a step of a minute."""
    folder = tmp_path / "work"
    (folder / "tmp").mkdir(parents=True)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY busybox /\nRUN ["/busybox", "sleep", "60"]\n')
    (folder / "busybox").write_bytes(engine.busybox.read_bytes())
    (folder / "busybox").chmod(0o755)
    process = subprocess.Popen(
        [*COMMAND, "--addr", f"docker://{engine.socket}", *BUILD, *MORE],
        cwd=folder,
        env=environment(folder, {"TMPDIR": str(folder / "tmp")}),
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if b"[2/2] RUN" in line:
            break
    else:
        pytest.fail("the build ended before its long step")
    yield process
    process.stderr.close()
    process.wait()


def end(process: subprocess.Popen[bytes]) -> tuple[float, list[str]]:
    """Seconds until the process has ended, and what it still said."""
    assert process.stderr is not None
    began = time.monotonic()
    rest = process.stderr.read().decode().splitlines()
    process.wait()
    return time.monotonic() - began, rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_cancels_the_build(
    build: subprocess.Popen[bytes], number: signal.Signals, tmp_path: Path
) -> None:
    build.send_signal(number)
    seconds, rest = end(build)
    assert seconds < 2
    assert build.returncode == 1
    assert any(line.endswith("CANCELED") for line in rest), rest
    assert rest[-1] == "error: failed to solve: Canceled: context canceled"
    assert_nothing_stays(tmp_path / "work")


def test_the_second_leaves_at_once(build: subprocess.Popen[bytes], tmp_path: Path) -> None:
    build.send_signal(signal.SIGINT)
    time.sleep(0.05)
    build.send_signal(signal.SIGINT)
    seconds, rest = end(build)
    assert seconds < 1.5
    assert build.returncode == 1
    assert "Traceback" not in "\n".join(rest)
    assert_nothing_stays(tmp_path / "work")


def test_the_second_leaves_though_the_daemon_hangs(engine: Engine, build: subprocess.Popen[bytes]) -> None:
    engine.pause()
    try:
        build.send_signal(signal.SIGINT)
        time.sleep(0.3)
        build.send_signal(signal.SIGINT)
        seconds, _ = end(build)
    finally:
        engine.resume()
    assert seconds < 1.5
    assert build.returncode == 1


def test_the_first_is_enough_though_the_daemon_hangs(
    engine: Engine, build: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    engine.pause()
    try:
        build.send_signal(signal.SIGINT)
        seconds, rest = end(build)
    finally:
        engine.resume()
    assert seconds < 2
    assert rest[-1] == "error: failed to solve: Canceled: context canceled"
    assert_nothing_stays(tmp_path / "work")


def assert_nothing_stays(folder: Path) -> None:
    assert os.listdir(folder / "tmp") == []
    assert {*os.listdir(folder)} - {".local"} == {"Dockerfile", "busybox", "tmp"}
