"""The language against a table drawn from Go's documentation (cases.txt)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buildctl.errors import UsageError
from buildctl.template import parse
from buildctl.template.tojson import JSON
from tests.support.godata import DATA

TABLE = Path(__file__).with_name("cases.txt")


def cases() -> Iterator[Any]:
    source = ""
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line.startswith("#"):
            source = line[2:].split(":")[0]
        elif line and not line.startswith("%"):
            data, case = line.split(": ", 1)
            template, result = case.split(" =>", 1)
            output, _, error = result.partition(" !! ")
            written = read(template), read(output.removeprefix(" ")), read(error)
            yield pytest.param(data, *written, id=f"{source}-{number}")


def read(text: str) -> str:
    text = text.replace("⏎", "\n").replace("⇥", "\t").replace("␠", " ")
    return re.sub("«(..)»", lambda byte: bytes.fromhex(byte[1]).decode("utf-8", "surrogateescape"), text)


def run(template: str, data: str) -> tuple[str, str]:
    """The output and, if it came to that, the error."""
    output = ""
    try:
        for part in parse(template, {"json": JSON}).execute(DATA[data]):
            output += part
    except UsageError as error:
        return output, str(error)
    return output, ""


@pytest.mark.parametrize(("data", "template", "output", "error"), list(cases()))
def test_a_template_does_what_go_does(data: str, template: str, output: str, error: str) -> None:
    assert run(template, data) == (output, error)


def test_the_table_is_large() -> None:
    assert len(list(cases())) >= 250
