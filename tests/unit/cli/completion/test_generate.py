"""The scripts: what is in completions/ is what is generated, and every word in it is one that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.cli.completion.generate import FILES, completion_script
from buildctl.cli.completion.tables import completion_tables
from buildctl.cli.main import root

COMPLETIONS = Path(__file__).parents[4] / "completions"

PLAIN = {"", "free", "file", "dir", "dockerfile", "targets", "args", "refs", "workers", "builds"}


@pytest.mark.parametrize(("shell", "name"), FILES.items())
def test_committed_scripts_are_the_generated_ones(shell: str, name: str) -> None:
    assert (COMPLETIONS / name).read_text() == completion_script(shell), "run make docs"


def test_every_value_leads_to_a_set_that_exists() -> None:
    tables = completion_tables(root)
    values = {word.value for name, words in tables.items() if not name.startswith("names ") for word in words}
    for value in values - PLAIN:
        kind, name = value.split(" ")
        assert kind in ("words", "list", "fields")
        assert name in tables
    assert {word.value for word in tables["names buildctl"]} >= {"buildctl build", "buildctl debug"}
