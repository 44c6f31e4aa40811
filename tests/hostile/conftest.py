"""Notes how the processes of a run ended, for docs/reliability.md if `BUILDCTL_RECORD` is set."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable

import pytest

from tests.hostile.case import Ended
from tests.load.record import record

Survived = Callable[[str, Ended], None]
Measured = Callable[[str, int, Ended], None]


@pytest.fixture(scope="session")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Survived:
    """To be told of each case that went well, by its name."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which all workers of a run share
    notes = folder / "survived"

    def note(name: str, ended: Ended) -> None:
        if not os.environ.get("BUILDCTL_RECORD"):
            return
        with notes.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps([name, ended.memory, ended.seconds]) + "\n")
            file.seek(0)
            record("hostile", summary([json.loads(line) for line in file]))

    return note


def summary(cases: list[tuple[str, int, float]]) -> str:
    largest = max(cases, key=lambda case: case[1])
    longest = max(cases, key=lambda case: case[2])
    usual = sorted(case[1] for case in cases)[len(cases) // 2]
    return (
        f"{len(cases)} cases were tried and survived. The process came to {usual / 1e6:.0f} MB in the"
        f" median,\nto {largest[1] / 1e6:.0f} MB at most ({largest[0]}), and took {longest[2]:.0f} s at most"
        f" ({longest[0]})."
    )


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """To be told of each flood that stayed within its bounds: what it was, how much of it, how it ended."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    notes = folder / "measured"

    def note(name: str, size: int, ended: Ended) -> None:
        if not os.environ.get("BUILDCTL_RECORD"):
            return
        with notes.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            row = [name, size, ended.memory, ended.cpu_seconds, ended.exit, _told(ended.stderr)]
            file.write(json.dumps(row) + "\n")
            file.seek(0)
            record("measured", _table([json.loads(line) for line in file]))

    return note


def _told(stderr: str) -> str:
    """What was left out, or what failed."""
    found = re.search(r'left out: ([^"]+)"|^(error: .*)$', stderr, re.MULTILINE)
    return f"left out: {found[1]}" if found and found[1] else found[2] if found else ""


def _table(rows: list[tuple[str, int, int, float, int, str]]) -> str:
    head = [
        "| flood | size | resident MB | CPU s | exit | says |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    return "\n".join(
        head
        + [
            f"| {name} | {size:,} | {memory / 1e6:.0f} | {seconds:.1f} | {code} | {_cell(says)} |"
            for name, size, memory, seconds, code, says in sorted(rows, key=lambda row: (row[0], row[1]))
        ]
    )


def _cell(text: str) -> str:
    return (text if len(text) < 200 else f"{text[:199]}…").replace("|", "\\|")
