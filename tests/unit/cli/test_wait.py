"""--wait and --timeout, on daemons that come late or never."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.program import COMMAND, environment, run, run_in_terminal
from tests.support.replay_server import replay_server


def test_the_time_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    ran = run("--addr", f"unix://{tmp_path}/no.sock", "--wait", "--timeout", "1", "du", cwd=tmp_path)
    assert (ran.exit, ran.stdout, ran.stderr) == (1, "", "error: context deadline exceeded\n")
    assert 1 <= time.monotonic() - began < 30


@pytest.mark.parametrize("seconds", [20, 0, -1])
def test_a_daemon_that_comes_late(tmp_path: Path, seconds: int) -> None:
    socket = tmp_path / "d.sock"
    done = threading.Event()

    def come() -> None:
        time.sleep(0.5)
        with replay_server("info", socket, speed=0):
            done.wait(30)

    thread = threading.Thread(target=come)
    thread.start()
    try:
        ran = run(
            "--addr", f"unix://{socket}", "--wait", f"--timeout={seconds}", "debug", "info", cwd=tmp_path
        )
    finally:
        done.set()
        thread.join()
    assert (ran.exit, ran.stderr) == (0, "")
    assert ran.stdout.startswith("BuildKit:   github.com/moby/buildkit")


def test_a_daemon_that_knows_no_info_is_there(tmp_path: Path) -> None:
    with replay_server("du", tmp_path / "d.sock", speed=0):
        ran = run("--addr", f"unix://{tmp_path}/d.sock", "--wait", "du", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")


def test_a_log_tells_what_is_waited_for(tmp_path: Path) -> None:
    flags = ("--debug", "--log-format", "json", "--wait", "--timeout", "2")
    ran = run(*flags, "--addr", "unix:///no.sock", "du", cwd=tmp_path)
    (line,) = (line for line in ran.stderr.splitlines() if line.startswith("{"))
    told = json.loads(line)
    assert told["level"] == "debug"
    assert told["msg"].startswith("waiting for the daemon: Unavailable: connection error: ")
    assert "error: context deadline exceeded\n" in ran.stderr


def test_an_interrupt_while_waiting(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--debug", "--addr", f"unix://{tmp_path}/no.sock", "--wait", "--timeout=0", "du"],
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    while b"waiting for the daemon" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert said.startswith(b"error: got SIGTERM/SIGINT, forcing shutdown\n")
    assert process.returncode == 1


def test_a_person_sees_what_is_waited_for_once(tmp_path: Path) -> None:
    ran = run_in_terminal("--addr", "unix:///no.sock", "--wait", "--timeout", "2", "du", cwd=tmp_path)
    reason = "dial unix /no.sock: connect: no such file or directory"
    assert ran.stdout.count("waiting for the daemon: ") == 1
    first, *_, failed, hint = ran.stdout.splitlines()
    assert first.startswith("waiting for the daemon: ")
    assert reason in ran.stdout
    assert failed == "error: context deadline exceeded" or "error: context deadline" in ran.stdout
    assert hint


def test_a_log_format_that_does_not_exist(tmp_path: Path) -> None:
    ran = run("--log-format", "xml", "du", cwd=tmp_path)
    assert (ran.exit, ran.stdout, ran.stderr) == (1, "", 'error: unsupported log type "xml"\n')


def test_a_daemon_that_takes_the_call_and_says_nothing(tmp_path: Path) -> None:
    """The time is over within a call, and the error has the call's code."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "d.sock"))
        silent.listen()
        flags = ("--addr", f"unix://{tmp_path}/d.sock", "--wait", "--timeout", "1")
        ran = run(*flags, "du", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (1, "error: DeadlineExceeded: context deadline exceeded\n")


def test_a_stream_that_cannot_be_opened_has_the_words_of_a_call(tmp_path: Path) -> None:
    reason = 'Unavailable: connection error: desc = "transport: Error while dialing: dial unix /no.sock: '
    for command, prefix in (("prune", "failed to call prune: "), ("debug monitor", "")):
        ran = run("--addr", "unix:///no.sock", *command.split(), cwd=tmp_path)
        assert ran.stderr.startswith(f"error: {prefix}{reason}")


def test_debug_messages_of_a_build(tmp_path: Path) -> None:
    """Those of the reference: the session's beginning and end, and what the exporters answered."""
    with replay_server("build-ok", tmp_path / "d.sock", speed=0):
        (tmp_path / "Dockerfile").write_text("FROM scratch\n")
        flags = ("--debug", "--log-format=json", "--addr", f"unix://{tmp_path}/d.sock")
        ran = run(
            *flags,
            *["build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=."],
            cwd=tmp_path,
        )
    said = [json.loads(line)["msg"] for line in ran.stderr.splitlines() if line.startswith("{")]
    assert said.index("serving grpc connection") < said.index("stopping session")
