"""Command lines of the reference: the same calls with equal requests, the same output and exit status.

Each row of requests.jsonl is a run in an empty folder with a Dockerfile. Random ids, the order of metadata
and that of calls made at the same time are left aside. Rows where this program differs on purpose say so in
`OURS`, with the reason in docs/differences.md.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_lines import Call, run_line

ROWS = [json.loads(line) for line in Path(__file__).with_name("requests.jsonl").read_text().splitlines()]

_A_LATE_FILE: dict[str, Any] = {"left": []}
"""The reference creates destinations while it reads flags, and folders that are only to be read."""

_MISSING_OUTPUT: dict[str, Any] = {"exit": 1, "stderr": None}
"""The daemon of these rows delivers nothing, which the reference calls a success."""

OURS: dict[str, dict[str, Any]] = {
    "build -o type=tar,dest=o.tar": _A_LATE_FILE,
    "build -o type=local,dest=a -o type=tar,dest=b.tar": _A_LATE_FILE | _MISSING_OUTPUT,
    "build --output type=oci,dest=o.tar,compression=zstd,oci-mediatypes=true": _A_LATE_FILE,
    "build --import-cache type=local,src=nothere": _A_LATE_FILE,
    f"build --import-cache type=local,src=c,digest=sha256:{'0' * 64}": _A_LATE_FILE,
    "build --import-cache type=local,src=c,tag=": _A_LATE_FILE,
    "build --oci-layout id=lay": _A_LATE_FILE,
    "prune --keep-duration 1d": {"exit": 0, "stderr": "", "like": ["prune", "--keep-duration", "24h"]},
    "debug": {"like": ["debug", "--help"]},
    "--nope": {"like": ["--help"]},
    "--timeout x du": {"like": ["--help"]},
}
"""What is ours where it differs from the row; `like`: the command line whose output and calls ours are."""


def typed(row: dict[str, Any]) -> str:
    return " ".join(row["argv"]).replace(
        " --frontend dockerfile.v0 --local context=. --local dockerfile=.", ""
    )


@pytest.mark.parametrize("row", ROWS, ids=typed)
def test_a_command_line_does_what_the_reference_did(row: dict[str, Any], tmp_path: Path) -> None:
    expected = row | OURS.get(typed(row), {})
    outcome = run_line(
        row["argv"],
        tmp_path,
        variables=row["env"],
        files=row["files"],
        stdin=row["stdin"],
        own_address=row["addr"] == "given",
    )
    calls = recorded(row)
    if like := expected.get("like"):
        same = run_line(like, tmp_path)
        expected["stdout"], calls = same.stdout, same.calls
    if expected["stderr"] is not None:
        assert outcome.stderr == expected["stderr"]
    assert (outcome.exit, outcome.stdout) == (expected["exit"], expected["stdout"])
    assert outcome.left == expected["left"]
    assert by_method(without_question(outcome.calls)) == by_method(without_question(calls))


def without_question(calls: list[Call]) -> list[Call]:
    """Without the call by which a session's own connection knows the daemon again (docs/differences.md)."""
    questions = [call for call in calls if call.method.endswith("/ListWorkers")]
    if len(questions) < 2:
        return calls
    assert len(questions) == 2
    assert questions[0] == questions[1]
    return [call for call in calls if call is not questions[1]]


def recorded(row: dict[str, Any]) -> list[Call]:
    return [
        Call.of(
            call["method"], call["metadata"], None if call["data"] is None else base64.b64decode(call["data"])
        )
        for call in row["calls"]
    ]


def by_method(calls: list[Call]) -> list[Call]:
    """Calls that run side by side arrive in any order."""
    return sorted(calls, key=lambda call: (call.method, str(call.metadata)))


def test_every_difference_is_of_a_row() -> None:
    assert set(OURS) <= {typed(row) for row in ROWS}
    assert len(ROWS) == 139
