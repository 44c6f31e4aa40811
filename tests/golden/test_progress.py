"""The recorded builds, seen by the displays at the recorded instants, against what the reference printed."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest

from buildctl.progress.plain import PlainPrinter
from buildctl.progress.rawjson import RawJSONRenderer
from tests.support import replay

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


def _normal(text: bytes) -> list[Any]:
    """The objects, with instants as nanoseconds since the first of them."""
    origin: int | None = None

    def nanoseconds(text: str) -> int:
        whole, _, fraction = text.removesuffix("Z").partition(".")
        return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0"))

    def walk(value: Any) -> Any:
        nonlocal origin
        if isinstance(value, dict):
            for key in ("started", "completed", "timestamp"):
                if key in value:
                    instant = nanoseconds(value[key])
                    origin = instant if origin is None else origin
                    value[key] = instant - origin
            return {key: walk(content) for key, content in value.items()}
        return [walk(content) for content in value] if isinstance(value, list) else value

    return [walk(json.loads(line)) for line in text.splitlines()]


def test_rawjson_prints_what_the_reference_printed() -> None:
    case = replay.load("build-rawjson")
    printed = replay.play(RawJSONRenderer(), case.statuses(), began_ns=1_800_000_000_000_000_000)
    assert _normal(printed) == _normal(case.stderr)
    shapes = [re.sub(rb'"20[^"]*Z"', b"T", text) for text in (printed, case.stderr)]
    assert shapes[0] == shapes[1]
