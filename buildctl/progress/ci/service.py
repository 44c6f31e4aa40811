"""What the dialects of CI services have in common: steps in short, and lines without commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from buildctl.progress.ci.inert import inert_line
from buildctl.progress.dialect import Dialect
from buildctl.progress.visible import visible

_COLOR = re.compile(r"\x1b\[[0-9;:]*m")
_MESSAGE_LIMIT = 4000


class Service(Dialect):
    """A dialect whose log lines are searched for commands."""

    def line(self, text: str) -> str:
        return f"{inert_line(text)}\n"

    def lines(self, head: str, texts: Sequence[str]) -> str:
        block = super().lines(head, texts)
        # After a head nothing is at the start of a line: few blocks have to be looked at line by line.
        bare = _COLOR.sub("", block) if "\x1b" in block else block
        if "##" in bare or "section_" in bare:
            return "".join([self.line(f"{head} {text}") for text in texts])
        return block

    def single(self, head: str, name: str, ending: str) -> str:
        return self.line(f"{head} {name}: {ending}")


def notice_text(message: str) -> str:
    """A message of a length that services take, its lines safe to print and without commands."""
    if len(message) > _MESSAGE_LIMIT:
        message = f"{message[:_MESSAGE_LIMIT]}…"
    return "\n".join(inert_line(visible(line)) for line in message.split("\n"))


def escaped(text: str, table: Iterable[tuple[str, str]]) -> str:
    """`text` with each first of a pair, in order, replaced by its second."""
    for plain, escape in table:
        text = text.replace(plain, escape)
    return text
