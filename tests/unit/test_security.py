"""What SECURITY.md says is there: the tests that it names, and a locked version of every dependency."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rows() -> list[str]:
    """The threat model's, without its head."""
    table = (ROOT / "SECURITY.md").read_text().partition("| who | could |")[2]
    return [line for line in table.splitlines()[2:] if line.startswith("|")]


def test_every_threat_names_a_test_that_exists() -> None:
    assert len(rows()) > 15
    for row in rows():
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row.rsplit("|", 2)[1])
        assert named, row
        for path, test in named:
            assert re.search(rf"^ *(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), (
                path,
                test,
            )


def test_every_dependency_is_locked() -> None:
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    locked = {name.lower().replace("_", "-"): version for name, version in pairs}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["otel"],
        *(one for one in (*groups["dev"], *groups["bench"]) if isinstance(one, str)),
    ]
    for requirement in wanted:
        name, lower, least = re.match(r"([\w-]+)(?:\[\w+\])?(?:(>=|==)([\d.]+))", requirement).groups()  # type: ignore[union-attr]
        assert _numbers(locked[name]) >= _numbers(least), requirement
        assert lower == ">=" or locked[name] == least


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
