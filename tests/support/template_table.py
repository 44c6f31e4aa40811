"""Tables of templates as text: `SUBJECT: TEMPLATE => OUTPUT !! ERROR`, a case a line, under `# group` lines.

⏎ is a newline, ⇥ a tab, ␠ a space at the end of the line, «ff» a byte that is no printable character. Lines
that begin with % are notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TemplateCase:
    """A template, what it is applied to, and what comes of it."""

    place: str
    subject: str
    template: str
    output: str
    error: str


def read_table(path: Path) -> Iterator[TemplateCase]:
    group = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#"):
            group = line[2:].split(":")[0]
        elif line and not line.startswith("%"):
            subject, case = line.split(": ", 1)
            template, result = case.split(" =>", 1)
            output, _, error = result.partition(" !! ")
            texts = map(_read, (template, output.removeprefix(" "), error))
            yield TemplateCase(f"{group} {number}".strip(), subject, *texts)


def _read(text: str) -> str:
    text = text.replace("⏎", "\n").replace("⇥", "\t").replace("␠", " ")
    return re.sub("«(..)»", lambda byte: bytes.fromhex(byte[1]).decode("utf-8", "surrogateescape"), text)
