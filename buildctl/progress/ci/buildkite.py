"""Buildkite: groups, which begin with a header and end where the next begins.

https://buildkite.com/docs/pipelines/configure/managing-log-output. Annotations need the agent's program,
which is not run here: an error is a line with the place in front, in a group that is expanded.
"""

from __future__ import annotations

from collections.abc import Sequence

from buildctl.progress.ci.inert import inert_line
from buildctl.progress.ci.service import Service, notice_text
from buildctl.progress.dialect import Level, Place


class Buildkite(Service):
    """`--- ` for a step, `+++ ` for what failed, `^^^ +++` to expand the group that is open."""

    def opening(self, title: str, now_ns: int) -> str:
        return f"--- {inert_line(title)}\n"

    def closing(self, now_ns: int, *, failed: bool) -> str:
        return "^^^ +++\n" if failed else ""

    def single(self, head: str, name: str, ending: str) -> str:
        return f"--- {inert_line(f'{head} {name}: {ending}')}\n"

    def failure(self, name: str, lines: Sequence[str]) -> str:
        return "".join([f"+++ {inert_line(name)}\n", *map(self.line, lines)])

    def notice(self, level: Level, place: Place | None, message: str) -> str:
        if level is not Level.ERROR:
            return ""  # warnings have a group, where all their places are
        where = "" if place is None else f"{place}: "
        return f"^^^ +++\n{notice_text(f'{where}{level}: {message}')}\n"

    def outcome(self) -> str:
        # What is printed next, here and by the rest of the job, would otherwise belong to the last step.
        return "--- buildctl\n"
