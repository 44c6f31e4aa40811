"""The program against recorded daemons: the reference's bytes on stdout and stderr, and its exit status.

Each case takes as long as it was recorded, for the plain display's pace depends on that.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from buildctl._pb import control_pb2
from tests.support.rawjson import without_shift, without_times
from tests.support.replay import CASES as CASES_FOLDER
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
    "build-warnings",
    "build-lint",
    "build-outline",
    "build-describe",
    "build-secret-missing",
    "v0.13-build-fail",
    "v0.13-build-warnings",
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
    "ctl-delete",
    "ctl-unpin",
    "get",
    "logs",
    "prune-histories",
    "unknown-command",
    "unknown-flag",
]


ATTEMPTS = 3
"""What the plain display shows of a counter that moves within a tenth of a second depends on when the program
is let run, so a busy machine gets further tries."""

ON_PURPOSE = {"prune-badvalue"}
"""Cases in which we print something else: see docs/differences.md."""
IN_TESTS_OF_THEIR_OWN = {"build-rawjson", "monitor-completed"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the program runs: a build context."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


def command(name: str, socket: Path) -> list[str]:
    return [sys.executable, "-m", "buildctl", "--addr", f"unix://{socket}", *load(name).argv]


def variables(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}


def replayed(name: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The program's run of a case, against its recorded daemon."""
    socket = folder.parent / "bk.sock"
    with replay_server(name, socket):
        return subprocess.run(
            command(name, socket),
            cwd=folder,
            env=variables(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=55,
        )


@pytest.mark.parametrize("name", CASES)
def test_the_program_prints_what_the_reference_printed(name: str, folder: Path) -> None:
    case = load(name)
    ran = replayed(name, folder)
    for _ in range(ATTEMPTS - 1):
        if ran.stderr == case.stderr:
            break
        ran = replayed(name, folder)
    assert ran.stdout == case.stdout
    assert ran.stderr == case.stderr
    assert ran.returncode == case.exit


def test_raw_json_but_for_the_shift_of_time(folder: Path) -> None:
    case = load("build-rawjson")
    ran = replayed("build-rawjson", folder)
    assert (ran.stdout, ran.returncode) == (case.stdout, case.exit)
    assert without_shift(ran.stderr) == without_shift(case.stderr)
    assert without_times(ran.stderr) == without_times(case.stderr)


def test_a_monitor_that_is_interrupted(folder: Path) -> None:
    case = load("monitor-completed")
    socket = folder.parent / "bk.sock"
    with replay_server("monitor-completed", socket):
        process = subprocess.Popen(
            command("monitor-completed", socket),
            cwd=folder,
            env=variables(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        shown = process.stdout.read(len(case.stdout))
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=10)
    assert (shown + rest, said, process.returncode) == (case.stdout, case.stderr, 1)


def test_a_size_with_a_unit_is_no_mistake_here(folder: Path) -> None:
    refused = load("prune-badvalue")
    assert refused.argv[-1] == "10GB"
    assert refused.exit == 1
    with replay_server("prune-all", folder.parent / "bk.sock") as server:
        ran = subprocess.run(
            command("prune-badvalue", folder.parent / "bk.sock"),
            cwd=folder,
            env=variables(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=55,
        )
        (call,) = server.calls("Prune")
    assert call.request == control_pb2.PruneRequest(maxUsedSpace=10**10).SerializeToString()
    assert (ran.stdout, ran.stderr, ran.returncode) == (load("prune-all").stdout, b"", 0)


def test_every_recorded_case_is_run() -> None:
    recorded = {path.name for path in CASES_FOLDER.iterdir()}
    assert {*CASES, *ON_PURPOSE, *IN_TESTS_OF_THEIR_OWN} == recorded
    assert len(CASES) == len(set(CASES))
