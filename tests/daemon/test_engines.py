"""The engines themselves: each is the version it should be, serves BuildKit, and leaves nothing behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.engines import Engine

pytestmark = pytest.mark.daemon

PROJECT = Path(__file__).parents[2]

UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


def test_engine_is_the_release_it_should_be(engine: Engine) -> None:
    assert engine.version.startswith(engine.release.name + ".")


def test_api_socket_becomes_a_grpc_connection(engine: Engine) -> None:
    with engine.connect() as stream:
        stream.sendall(UPGRADE)
        assert stream.recv(4096).startswith(b"HTTP/1.1 101 ")


def test_busybox_is_static(engine_20: Engine) -> None:
    argv: list[str | Path] = [
        "/usr/sbin/chroot",
        engine_20.busybox.parent,
        "/busybox",
        "echo",
        "here",
    ]  # a root without any library
    assert subprocess.run(argv, capture_output=True, check=True).stdout == b"here\n"


def test_stopped_engine_leaves_the_system_as_it_was(engine_20: Engine) -> None:
    fixed = [Path(place) for place in ("/etc/docker", "/opt/containerd", "/run/docker", "/run/containerd")]
    before = [place.exists() for place in fixed]
    with Engine(engine_20.release) as engine:
        assert engine.socket.is_socket()
    assert not engine.root.exists()
    assert [place.exists() for place in fixed] == before


def test_crash_takes_everything_with_it(engine_26: Engine) -> None:
    with Engine(engine_26.release) as engine:
        engine.kill()
        with pytest.raises(ConnectionRefusedError):
            engine.connect()


def test_failed_start_shows_the_last_lines_of_the_log(engine_20: Engine) -> None:
    engine = Engine(replace(engine_20.release, config={"no-such-key": 1}))
    with pytest.raises(RuntimeError, match="no-such-key"):
        engine.start()
    assert not engine.root.exists()


def test_killed_test_process_takes_its_engine_with_it(engine_20: Engine) -> None:
    script = (
        "import os, signal\n"
        "from tests.support import engines, packages\n"
        "engine = engines.Engine(packages.ENGINE_20)\n"
        "engine.start()\n"
        "print(engine.root, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False
    )
    root = Path(done.stdout.strip())
    try:
        assert done.returncode == -signal.SIGKILL
        assert root.is_dir()
        deadline = time.monotonic() + 10
        while running := [line for line in _command_lines() if str(root) in line]:
            assert time.monotonic() < deadline, running
            time.sleep(0.05)
    finally:
        shutil.rmtree(root)


def _command_lines() -> list[str]:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it may have ended
            lines.append(process.read_text(errors="replace").replace("\0", " "))
    return lines
