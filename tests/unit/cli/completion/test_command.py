"""What `buildctl completion` prints, and what scripts are told by `buildctl __complete`."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from buildctl.cli.completion.generate import FILES, completion_script
from tests.support import program


@pytest.mark.parametrize("shell", FILES)
def test_the_script_is_printed(shell: str, tmp_path: Path) -> None:
    assert program.run("completion", shell, cwd=tmp_path) == program.Ran(0, completion_script(shell), "")


def test_without_a_shell_those_that_there_are_are_named(tmp_path: Path) -> None:
    ran = program.run("completion", cwd=tmp_path)
    expected = "error: no shell provided for completion command. available shells are [bash fish pwsh zsh]\n"
    assert ran == program.Ran(1, "", expected)


def test_an_unknown_shell(tmp_path: Path) -> None:
    ran = program.run("completion", "tcsh", cwd=tmp_path)
    expected = "error: unknown shell tcsh, available shells are [bash fish pwsh zsh]\n"
    assert ran == program.Ran(1, "", expected)


def test_completion_is_listed_and_its_helper_is_not(tmp_path: Path) -> None:
    listed = program.run("--help", cwd=tmp_path).stdout
    assert "completion" in listed
    assert "__complete" not in listed


def test_a_daemon_that_does_not_answer_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        ran = program.run(
            "--addr", f"unix://{tmp_path}/silent.sock", "__complete", "refs", cwd=tmp_path, timeout=10
        )
    assert ran == program.Ran(1, "", "error: the daemon did not answer in time\n")


def test_no_daemon_is_started_for_an_answer(tmp_path: Path) -> None:
    assert program.run("--addr", "daemonless://", "__complete", "workers", cwd=tmp_path) == program.Ran(
        0, "", ""
    )
