"""What pages say is there: the tests that they name, and a locked version of every dependency."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


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


@pytest.mark.parametrize("page", ["SECURITY.md", "README.md", *(f"docs/{one.name}" for one in DOCS)])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    for path in re.findall(r"`(tests/[\w/]+\.py)", text):
        assert (ROOT / path).exists(), path
    defined = set(re.findall(r"def (test_\w+)\(", "".join(map(Path.read_text, TESTS))))
    assert set(re.findall(r"`(test_\w+)`", text)) <= defined


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
