"""What a command needs of its process before it runs."""

from __future__ import annotations

import resource
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.program import COMMAND, Ran, environment
from tests.support.replay_server import replay_server


def run_with(limit: str, cwd: Path) -> Ran:
    """`debug info` of a daemon, after the shell has set a limit."""
    address = cwd / "d.sock"
    with replay_server("info", address, speed=0):
        ran = subprocess.run(
            [
                *("sh", "-c", f'ulimit {limit}; exec "$@"', "sh"),
                *(*COMMAND, "--addr", f"unix://{address}", "debug", "info"),
            ],
            cwd=cwd,
            env=environment(cwd),
            capture_output=True,
            text=True,
            timeout=50,
        )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.parametrize("limit", ["-Sn 8", "-Sn 16", "-n 33"])
def test_a_low_limit_on_open_files_is_raised_where_it_may_be(tmp_path: Path, limit: str) -> None:
    ran = run_with(limit, tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")
    assert ran.stdout


@pytest.mark.parametrize("files", [8, 16, 32])
def test_a_limit_on_open_files_that_stays_too_low_is_said(tmp_path: Path, files: int) -> None:
    assert run_with(f"-n {files}", tmp_path) == Ran(
        1, "", f"error: at most {files} files may be open, and 33 are needed\n"
    )


def test_files_that_are_open_already_count(tmp_path: Path) -> None:
    opened = "; ".join(f"exec {number}<&0" for number in range(3, 10))
    ran = run_with(f"-n 39; {opened}", tmp_path)
    assert ran == Ran(1, "", "error: at most 39 files may be open, and 40 are needed\n")
    assert run_with(f"-n 40; {opened}", tmp_path).exit == 0


def test_no_core_is_left_of_what_holds_secrets(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:  # that never answers
        daemon.bind(str(tmp_path / "d.sock"))
        daemon.listen()
        daemon.settimeout(50)
        limited = ("sh", "-c", 'ulimit -Sc "$(ulimit -Hc)" && exec "$@"', "sh")
        command = (*limited, *COMMAND, "--addr", f"unix://{tmp_path}/d.sock", "debug", "info")
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path))
        try:
            connection, _ = daemon.accept()
            connection.close()
            soft, hard = resource.prlimit(process.pid, resource.RLIMIT_CORE)
        finally:
            process.kill()
            process.wait()
    assert soft == 0
    assert hard == resource.getrlimit(resource.RLIMIT_CORE)[1]


@pytest.mark.parametrize("kilobytes", [60_000, 110_000])
def test_too_little_memory_is_said(tmp_path: Path, kilobytes: int) -> None:
    ran = run_with(f"-v {kilobytes}", tmp_path)
    assert (ran.exit, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"error: the address space is limited to {kilobytes >> 10} MB, and 160 are needed\n"
    )


def test_memory_that_ends_meanwhile_is_said(tmp_path: Path) -> None:
    """A file within its own limit, and an address space that has no room for it."""
    (tmp_path / "large").write_bytes(b"\x0a\xf0\xff\xff\x1d" + bytes(0x3BFFFF0))
    command = [*COMMAND, "debug", "dump-llb", "large"]
    ran = subprocess.run(
        ["sh", "-c", 'ulimit -v 100000; exec "$@"', "sh", *command],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "error: out of memory\n")
