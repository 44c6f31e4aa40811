"""The first screen: on a terminal, with and without a daemon; elsewhere the help page."""

from __future__ import annotations

from pathlib import Path

from tests.support.program import run, run_in_terminal
from tests.support.replay_server import replay_server


def test_with_a_daemon(tmp_path: Path) -> None:
    with replay_server("workers", tmp_path / "s", speed=0):
        ran = run_in_terminal(cwd=tmp_path, variables={"BUILDKIT_HOST": f"unix://{tmp_path}/s"})
    assert ran.exit == 0
    assert f"The daemon at unix://{tmp_path}/s answers: BuildKit v0." in ran.stdout
    assert len(ran.stdout.splitlines()) <= 10


def test_without_one(tmp_path: Path) -> None:
    ran = run_in_terminal(cwd=tmp_path, variables={"BUILDKIT_HOST": "unix:///nowhere"})
    assert ran.exit == 0
    assert "No daemon answers at unix:///nowhere" in ran.stdout
    assert "buildctl build -t NAME ." in ran.stdout


def test_elsewhere_the_help_page(tmp_path: Path) -> None:
    assert run(cwd=tmp_path).stdout == run("--help", cwd=tmp_path).stdout
    at_terminal = run_in_terminal(cwd=tmp_path, variables={"CI": "true"})
    assert at_terminal.stdout.startswith("Usage: buildctl")
