"""Azure Pipelines: logging commands.

https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands: `##vso[` is looked for anywhere
in a line, `##[` formats one.
"""

from __future__ import annotations

from buildctl.progress.ci.inert import inert_line
from buildctl.progress.ci.service import Service, escaped, notice_text
from buildctl.progress.dialect import Level, Place

_MESSAGE = (("%", "%AZP25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY = (*_MESSAGE, ("]", "%5D"), (";", "%3B"))


class Azure(Service):
    """`##[group]` and `##vso[task.logissue]`."""

    def opening(self, title: str, now_ns: int) -> str:
        return f"##[group]{inert_line(title)}\n"

    def closing(self, now_ns: int, *, failed: bool) -> str:
        return "##[endgroup]\n"

    def notice(self, level: Level, place: Place | None, message: str) -> str:
        properties = {"type": str(level)}
        if place is not None:
            properties |= {"sourcepath": place.path, "linenumber": str(place.line)}
        listed = "".join(f"{name}={escaped(value, _PROPERTY)};" for name, value in properties.items())
        return f"##vso[task.logissue {listed}]{escaped(notice_text(message), _MESSAGE)}\n"
