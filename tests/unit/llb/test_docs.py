"""The pages on `buildctl.llb` are what the code is, and their programs run."""

from __future__ import annotations

import re
from pathlib import Path

from buildctl import llb
from buildctl.cli.reference.library import llb_page

ROOT = Path(__file__).parents[3]


def test_every_public_name_is_on_it() -> None:
    text = llb_page()
    assert [name for name in llb.__all__ if f"llb.{name}`" not in text and name != "BUILDKIT"] == []


def test_the_programs_of_the_tutorial_run() -> None:
    names: dict[str, object] = {}
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "llb.md").read_text("utf-8"), re.DOTALL)
    assert len(programs) >= 4
    for program in programs:
        exec(compile(program, "llb.md", "exec"), names)
    definition = names["definition"]
    assert isinstance(definition, llb.Definition)
    assert definition.digest.startswith("sha256:")


def test_the_table_names_what_exists() -> None:
    rows = re.findall(r"^\| .*? \| (.*?) \|$", (ROOT / "docs" / "llb.md").read_text("utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`llb\.([a-zA-Z_]+)", row)}
    methods = {name for row in rows for name in re.findall(r"`State\.([a-z_]+)", row)}
    assert len(named) > 20
    assert [name for name in named if not hasattr(llb, name)] == []
    assert [name for name in methods if not hasattr(llb.State, name)] == []
