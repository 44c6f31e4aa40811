"""The language against a table drawn from Go's documentation (cases.txt)."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.errors import UsageError
from buildctl.template import parse
from buildctl.template.tojson import JSON
from tests.support.godata import DATA
from tests.support.template_table import TemplateCase, read_table

CASES = list(read_table(Path(__file__).with_name("cases.txt")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.place)
def test_a_template_does_what_go_does(case: TemplateCase) -> None:
    output = error = ""
    try:
        for part in parse(case.template, {"json": JSON}).execute(DATA[case.subject]):
            output += part
    except UsageError as failure:
        error = str(failure)
    assert (output, error) == (case.output, case.error)


def test_the_table_is_large() -> None:
    assert len(CASES) >= 250
