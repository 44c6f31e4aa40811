"""What is told of a build once it is over: `--summary`, `--timings` and `--timeline`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from buildctl.cli.display import is_live
from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.progress.clipping import Clippings
from buildctl.system.outfile import write_whole

if TYPE_CHECKING:
    from buildctl.cli.build_flags import BuildFlags
    from buildctl.cli.environment import Environment
    from buildctl.model.status import SolveStatus
    from buildctl.model.transfer import Transfer
    from buildctl.progress.timings import Timings
    from buildctl.progress.trace import Trace

_LOG_BUDGET = 16 << 20
"""Bytes of logs kept for a timeline; a page shows fewer."""
_MODE = 0o600
"""Logs and build arguments are for nobody else, as in `--trace`."""
_SLOWEST_ON_TERMINAL, _SLOWEST = 3, 5


class Insight:
    """Follows one build; `update` is a status sink."""

    def __init__(
        self, *, summary: bool | None = None, timings_file: str = "", timelines: Sequence[str] = ()
    ) -> None:
        """Without a wish for a `summary`, there is one if it has something to tell.

        Raises `UsageError` for a timeline of an unknown kind.
        """
        self._summary = summary
        self._timings_file = timings_file
        self._timelines = [(path, _kind(path)) for path in timelines]
        self._needs_logs = any(kind == ".html" for _, kind in self._timelines)
        self._trace: Trace | None = None
        self._clippings = Clippings()

    def update(self, status: SolveStatus) -> None:
        """Take in a message."""
        if self._trace is None:
            from buildctl.progress.trace import Trace

            self._trace = Trace(log_budget=_LOG_BUDGET)
        if status.logs:
            self._clippings.update(status.logs)
        if status.vertexes or status.statuses or self._needs_logs:
            self._trace.update(status if self._needs_logs else _without_logs(status))

    def timings(self, start_ns: int | None = None, end_ns: int | None = None) -> Timings | None:
        """Those of the build, which is over and lasted so long; None if it never said anything."""
        if self._trace is None or not self._trace.by_digest:
            return None
        from buildctl.progress.timings import take_timings

        return take_timings(self._trace, start_ns=start_ns, end_ns=end_ns)

    def speaks(self, timings: Timings, *, interrupted: bool) -> bool:
        """Whether there is to be a summary; who has interrupted a build gets none unasked."""
        if self._summary is not None or interrupted:
            return bool(self._summary)
        from buildctl.progress.summary import worth_telling

        return worth_telling(timings) or bool(self._clippings)

    def write_files(self, timings: Timings | None) -> None:
        """Write what is wanted; without timings, nothing. Raises `BuildctlError`."""
        if timings is None:
            return
        if self._timings_file:
            from buildctl.progress.timings import encode_timings

            write_whole(self._timings_file, encode_timings(timings), mode=_MODE)
        for path, kind in self._timelines:
            write_whole(path, _timeline(timings, kind), mode=_MODE)

    def summary(
        self,
        timings: Timings,
        transfers: Sequence[Transfer],
        environment: Environment,
        descriptor: int,
        *,
        failed: bool = False,
    ) -> str:
        """A few lines, as wide as the descriptor's terminal if it is one.

        One line where a build has `failed` and nobody asked for a summary: what matters then comes after it.
        """
        from buildctl.progress.summary import summary

        if not environment.is_terminal(descriptor):
            lines = summary(timings, transfers, clipped=self._clippings, slowest=_SLOWEST)
        else:
            from rich.cells import cell_len

            from buildctl.progress.terminal import TerminalOptions

            columns, _ = environment.terminal_size(descriptor)
            glyphs = TerminalOptions.from_variables(environment.variables).glyphs
            lines = summary(
                timings,
                transfers,
                clipped=self._clippings,
                slowest=_SLOWEST_ON_TERMINAL,
                width=columns,
                measure=cell_len,
                ascii_only=not glyphs,
                brief=failed and self._summary is None,
            )
        return "".join(f"{line}\n" for line in lines)


def find_insight(environment: Environment, flags: BuildFlags) -> Insight | None:
    """What the flags of a build ask for; a live display has a summary unless that is declined.

    Raises `UsageError`.
    """
    live = flags.summary is None and is_live(environment, flags.progress)
    if not (live or flags.summary or flags.timings or flags.timelines):
        return None
    return Insight(
        summary=None if live else bool(flags.summary), timings_file=flags.timings, timelines=flags.timelines
    )


def _kind(path: str) -> str:
    """`.html` or `.json`, by the file's name. Raises `UsageError` for others."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".html", ".json"):
        raise UsageError(
            f"a timeline is FILE.html or FILE.json, not {quote(path)}",
            hint=".html is a page for browsers, .json is for Perfetto and chrome://tracing",
        )
    return suffix


def _timeline(timings: Timings, kind: str) -> bytes:
    if kind == ".html":
        from buildctl.progress.timeline import encode_timeline

        return encode_timeline(timings)
    from buildctl.progress.chrometrace import encode_chrome_trace

    return encode_chrome_trace(timings)


def _without_logs(status: SolveStatus) -> SolveStatus:
    from buildctl.model.status import SolveStatus

    return SolveStatus(status.vertexes, status.statuses)
