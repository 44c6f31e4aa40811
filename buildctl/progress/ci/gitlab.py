"""GitLab CI/CD: collapsible sections.

https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections. There are no annotations from a log, so
that an error is a line with the place in front, as compilers write it.
"""

from __future__ import annotations

from buildctl.progress.ci.service import Service, notice_text
from buildctl.progress.dialect import Level, Place

_CLEAR = "\r\x1b[0K"


class GitLab(Service):
    """`section_start:…` and `section_end:…`, collapsed; each name once in a job's log."""

    _name = ""
    _opened_s = 0
    _sections = 0

    def opening(self, title: str, now_ns: int) -> str:
        self._sections += 1
        self._opened_s = now_ns // 1_000_000_000
        # Builds of one job begin their sections at different instants, or have different numbers of them.
        self._name = f"buildctl_{now_ns // 1_000_000}_{self._sections}"
        start = f"section_start:{self._opened_s}:{self._name}[collapsed=true]{_CLEAR}"
        return start + self.line(title)

    def closing(self, now_ns: int, *, failed: bool) -> str:
        return f"section_end:{max(now_ns // 1_000_000_000, self._opened_s)}:{self._name}{_CLEAR}\n"

    def notice(self, level: Level, place: Place | None, message: str) -> str:
        if level is not Level.ERROR:
            return ""  # warnings have a section, where all their places are
        where = "" if place is None else f"{place}: "
        return f"{notice_text(f'{where}{level}: {message}')}\n"
