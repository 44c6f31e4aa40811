"""From argv to exit code: what every command has in common."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from buildctl import __version__
from buildctl.cli import running
from buildctl.cli.environment import Environment
from buildctl.cli.main import main
from tests.support.program import COMMAND, environment, run, run_in_terminal
from tests.support.replay_server import replay_server

PROFILES = ("cpu", "memory", "memoryrate", "block", "mutex", "trace")


def test_profile_flags_are_taken_and_do_nothing(tmp_path: Path) -> None:
    flags = [f"--profile-{name}=5" for name in PROFILES]
    with replay_server("info", tmp_path / "s", speed=0):
        ran = run(*flags, "--addr", f"unix://{tmp_path}/s", "debug", "info", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] in (["s"], [])
    assert "profile" not in run("--help", cwd=tmp_path).stdout


def test_the_umask_stays_the_user_s() -> None:
    before = os.umask(0o027)
    try:
        assert main(["build", "--output", "none"]) == 1
    finally:
        after = os.umask(before)
    assert after == 0o027


def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    ran = run("--debug", "--addr", "unix:///no.sock", "du", cwd=tmp_path)
    error, process, *calls = ran.stderr.splitlines()
    assert error.startswith("error: failed to call diskusage: Unavailable: ")
    assert re.fullmatch(rf"\d+ v{re.escape(__version__)} buildctl --debug --addr unix:///no.sock du", process)
    assert calls[0] == "buildctl.client.rpc.Caller.unary"
    assert re.fullmatch(r"\t/.*/buildctl/client/rpc.py:\d+", calls[1])
    assert calls[-1] == ""


@pytest.mark.parametrize(
    ("arguments", "stderr", "status"),
    [
        (["debug", "--help", "nosuch"], "error: No help topic for 'nosuch'\n", 1),
        (["--help", "nosuch"], "error: No help topic for 'nosuch'\n", 1),
        (["debug", "help", "nosuch"], "No help topic for 'nosuch'\n", 3),
        (["help", "nosuch"], "No help topic for 'nosuch'\n", 3),
        (["debug", "nosuch"], "No help topic for 'nosuch'\n", 3),
    ],
)
def test_help_of_what_does_not_exist(arguments: list[str], stderr: str, status: int, tmp_path: Path) -> None:
    ran = run(*arguments, cwd=tmp_path)
    assert (ran.exit, ran.stdout, ran.stderr) == (status, "", stderr)


@pytest.mark.parametrize(
    "arguments",
    [["debug", "logs", "--help"], ["debug", "logs", "REF", "-h"], ["help", "debug", "logs"]],
)
def test_help_of_a_command(arguments: list[str], tmp_path: Path) -> None:
    ran = run(*arguments, cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Usage: buildctl debug logs [FLAGS] REF\n")


def test_commands_in_the_reference_s_order(tmp_path: Path) -> None:
    def listed(*arguments: str) -> list[str]:
        page = run(*arguments, "--help", cwd=tmp_path).stdout
        section = page.partition("Commands:\n")[2].partition("\n\n")[0]
        return re.findall(r"^  ([a-z-]+)", section, re.MULTILINE)

    assert listed()[:5] == ["du", "prune", "prune-histories", "build", "debug"]
    assert "dial-stdio" not in listed()
    assert listed("debug") == [
        *("dump-llb", "dump-metadata", "workers", "info", "monitor", "logs", "ctl", "get", "histories"),
        "help",
    ]


def test_an_error_on_a_terminal_cannot_steer_it(tmp_path: Path) -> None:
    hostile = "a\x1b[2J\x1b]0;title\x07\x1b[31mred"
    ran = run_in_terminal("build", "--frontend=x", f"--progress={hostile}", cwd=tmp_path)
    assert ran.stdout.splitlines()[0] == "error: invalid progress mode ared"


def test_a_full_standard_output_is_an_error(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*COMMAND, "--version"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert ran.returncode == 1
    assert ran.stderr == b"error: write /dev/stdout: no space left on device\n"


def test_what_is_registered_for_the_end_is_run(tmp_path: Path) -> None:
    script = "import atexit, os; atexit.register(os.write, 2, b'last'); import buildctl.__main__ as program; "
    script += "program.entry()"
    command = [sys.executable, "-c", script, "frob"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True)
    assert ran.returncode == 3
    assert ran.stderr == b"No help topic for 'frob'\nlast"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_take_and_give_nothing(tmp_path: Path, closed: str) -> None:
    line = f'{" ".join(COMMAND)} --addr unix:///no.sock --debug "$@" {closed}'
    for arguments, status in ((["--version"], 0), (["du"], 1), (["debug", "dump-llb"], 0)):
        ran = subprocess.run(
            ["sh", "-c", line, "sh", *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
        assert ran.returncode == status
        assert b"Traceback" not in ran.stderr


def test_a_clock_that_is_set_moves_no_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment()
    before = environment.now_ns()
    assert abs(before - time.time_ns()) < 60_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= environment.now_ns() - before < 60_000_000_000


def test_a_fault_of_the_system_that_nobody_expects_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(running, "run", fail)
    assert main(["--addr", "unix:///no.sock", "debug", "info"]) == 1
    assert capfd.readouterr().err == "error: cannot allocate memory\n"


def test_a_fault_of_the_program_is_said_through_the_door(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its traceback, too, may quote what a daemon has sent."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError("::set-env name=x::\n::error::\x1b[2J")

    monkeypatch.setattr(running, "run", fail)
    with (tmp_path / "out").open("wb") as out:
        variables = {"GITHUB_ACTIONS": "true"}
        environment = Environment(variables, 0, out.fileno(), out.fileno())
        assert main(["--addr", "unix:///no.sock", "debug", "info"], environment) == 1
    text = (tmp_path / "out").read_text()
    assert "Traceback" in text
    assert text.endswith("error: a fault of buildctl: KeyError\n")
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_a_wrong_flag_is_said_once_to_a_person(tmp_path: Path) -> None:
    words = "flag provided but not defined: -frontned"
    piped = run("build", "--frontned", "x", cwd=tmp_path)
    assert piped.stderr.count(words) == 2
    shown = run_in_terminal("build", "--frontned", "x", cwd=tmp_path)
    assert (shown.exit, shown.stdout.count(words)) == (1, 1)
