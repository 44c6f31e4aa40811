"""The recorded builds, seen by the displays at the recorded instants, against what the reference printed."""

from __future__ import annotations

import json
import re

import pytest

from buildctl.progress.plain import PlainPrinter
from buildctl.progress.rawjson import RawJSONRenderer
from tests.support import replay
from tests.support.rawjson import without_shift, without_times

PLAIN = sorted(
    folder.name
    for folder in replay.CASES.iterdir()
    if "plain" in json.loads((folder / "case.json").read_text())["argv"]
)

ERROR_REPORT = re.compile(rb"(?:Dockerfile:\d+\n-{20}\n(?:.*\n)*?-{20}\n)?error: .*\n")
"""What the command prints after its display has ended, if the build failed."""


@pytest.mark.parametrize("name", PLAIN)
def test_plain_prints_what_the_reference_printed(name: str) -> None:
    case = replay.load(name)
    printed = replay.play(PlainPrinter(), case.statuses())
    expected = case.stdout if case.argv[:2] == ["debug", "logs"] else case.stderr
    assert printed == expected[: len(printed)]
    rest = expected[len(printed) :]
    assert ERROR_REPORT.fullmatch(rest) if case.exit else rest == b""


def test_the_plain_cases_are_there() -> None:
    assert len(PLAIN) >= 15


def test_rawjson_prints_what_the_reference_printed() -> None:
    case = replay.load("build-rawjson")
    printed = replay.play(RawJSONRenderer(), case.statuses(), began_ns=1_800_000_000_000_000_000)
    assert without_shift(printed) == without_shift(case.stderr)
    assert without_times(printed) == without_times(case.stderr)
