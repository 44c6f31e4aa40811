"""The page on the API and the first screen of the README: programs as they are tested, names that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import buildctl
from buildctl.model.context import Context
from buildctl.model.output import Output

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()
EXAMPLES = sorted((ROOT / "examples" / "api").glob("[0-9][0-9].py"))


def programs(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_the_twelve_programs_are_printed_as_they_are_run() -> None:
    assert len(EXAMPLES) == 12
    assert programs(PAGE) == [example.read_text() for example in EXAMPLES]


@pytest.mark.parametrize("program", programs((ROOT / "README.md").read_text()))
def test_what_the_readme_shows_can_be_meant(program: str) -> None:
    compile(program, "README.md", "exec")
    for name in re.findall(r"^from buildctl import (.*)$", program, re.MULTILINE):
        assert all(one in buildctl.__all__ for one in name.split(", "))


def test_the_tables_name_what_there_is() -> None:
    parameters = set(buildctl.Client.build.__kwdefaults__ or ()) | {"context"}
    here = [row.split("|")[2] for row in PAGE.splitlines() if row.startswith("| `")]
    named = {name for cell in here for name in re.findall(r"`(\w+)=", cell)}
    assert named <= parameters | {"on_status"}, named - parameters
    for kind, holder in (("Context", Context), ("Output", Output)):
        assert all(hasattr(holder, name) for name in re.findall(rf"\b{kind}\.(\w+)", PAGE))
