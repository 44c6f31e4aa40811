"""Any text is a template that comes to an end, with text or with a UsageError in Go's words.

The first byte of an input chooses what the template is applied to.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from buildctl.errors import UsageError
from buildctl.template import evaluate, execute, parse
from buildctl.template.tojson import JSON
from tests.fuzz.driver import Harness, words
from tests.support.godata import DATA
from tests.support.template_table import read_table

CASES = Path(__file__).parent.parent / "unit" / "template" / "cases.txt"
SUBJECTS = sorted(DATA)


def check(data: bytes) -> str:
    value = DATA[SUBJECTS[data[0] % len(SUBJECTS)]] if data else None
    text = data[1:4000].decode("utf-8", "surrogateescape")
    failure = ""
    with (
        mock.patch.object(execute, "MAX_STEPS", 2000),
        mock.patch.object(execute, "MAX_OUTPUT", 1 << 20),
        mock.patch.object(evaluate, "MAX_TEXT", 1 << 20),
    ):
        try:
            "".join(parse(text, {"json": JSON}).execute(value)).encode("utf-8", "surrogateescape")
        except UsageError as error:
            failure = str(error)
    assert failure.startswith("template: :") or not failure
    return " ".join(failure.split()[-2:])


def seeds() -> list[bytes]:
    return [
        bytes([SUBJECTS.index(case.subject)]) + case.template.encode("utf-8", "surrogateescape")
        for case in read_table(CASES)
        if case.subject in DATA
    ]


WORDS = r"""
    {{ }} {{- -}} {{end}} {{else}} {{if {{range {{with {{break}} {{continue}} {{/* */}} {{define"t"}}
    {{template"t".}} {{block"b".}} $x:= $x $i,$e:= | ( ) . .ID .CreatedAt .Name .List .Nested 1 -2 1e99 'a'
    `r` 0x1p-1074 nil true "%[2]*.[1]*d%v%q" "%999999d" and or not len index slice print printf html js
    "s" urlquery json call eq lt
"""

HARNESS = Harness("templates", check, seeds, words(WORDS, b" ", b"\xff", b"\n"))
