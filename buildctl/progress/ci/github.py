"""GitHub Actions, and what understands its workflow commands, such as Gitea and Forgejo.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions: a command is a line that
begins with `::` after spaces; the older form `##[` is looked for anywhere in a line. Commands of the log are
made unrecognizable rather than stopped with `stop-commands`, which would show two lines more in every section
and, if the build is killed in the middle of one, leave the rest of the job's step without commands.
"""

from __future__ import annotations

from buildctl.progress.ci.inert import inert_line
from buildctl.progress.ci.service import Service, escaped, notice_text
from buildctl.progress.dialect import Level, Place

_DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY = (*_DATA, (":", "%3A"), (",", "%2C"))


class GitHub(Service):
    """`::group::` and `::error file=…,line=…::`."""

    def opening(self, title: str, now_ns: int) -> str:
        return f"::group::{escaped(inert_line(title), _DATA)}\n"

    def closing(self, now_ns: int, *, failed: bool) -> str:
        return "::endgroup::\n"

    def notice(self, level: Level, place: Place | None, message: str) -> str:
        properties = {"title": "buildctl"}
        if place is not None:
            properties = {
                "file": place.path,
                "line": str(place.line),
                "endLine": str(place.last_line),
            } | properties
        listed = ",".join(f"{name}={escaped(value, _PROPERTY)}" for name, value in properties.items())
        return f"::{level} {listed}::{escaped(notice_text(message), _DATA)}\n"
