"""A build as a page of a job's summary, in the Markdown of GitHub."""

from __future__ import annotations

import re
from collections.abc import Sequence

from buildctl.model.bytesize import format_bytes
from buildctl.model.status import SolveStatus
from buildctl.progress.intervals import seconds
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.visible import visible

SUMMARY_LIMIT = 1 << 20
"""Bytes that GitHub takes of one step of a job (its documentation of job summaries)."""
_NAME_LIMIT = 300
_EXCERPT_LIMIT = 8000
_HEAD = "| step | result | time | transferred |\n| --- | --- | ---: | ---: |\n"


class StepSummary:
    """What a build's steps came to: give it the messages, and ask for the page when the build has ended."""

    def __init__(self) -> None:
        self._trace = Trace()
        self._began_ns: int | None = None
        self._ended_ns = 0

    def update(self, status: SolveStatus) -> None:
        """Take in a message, but for its logs."""
        self._trace.update(SolveStatus(status.vertexes, status.statuses, (), status.warnings))

    def markdown(self, error: str, excerpts: Sequence[str], *, limit: int = SUMMARY_LIMIT) -> bytes:
        """The page in at most `limit` bytes: rows are left out, at last everything.

        Without an `error` the build has succeeded.
        """
        trace = self._trace
        # Hidden groups are not steps to anybody, and warnings may be of steps that never started.
        steps = trace.vertexes
        lasted = _span(steps)
        warnings = sum(len(vertex.warnings) for vertex in dict.fromkeys(trace.by_digest.values()))
        facts = [
            f"{_count(len(steps), 'step')} in {_time(lasted)}",
            f"{sum(vertex.cached for vertex in steps)} cached",
            f"{format_bytes(sum(map(_transferred, steps)))} transferred",
            *([_count(warnings, "warning")] if warnings else []),
        ]
        page = [f"### buildctl: the build {'failed' if error else 'succeeded'}\n\n{', '.join(facts)}\n\n"]
        if error:
            page.append(_fenced("\n".join([*excerpts, f"error: {error}"])))
        rest = limit - sum(map(_size, page)) - _size(_HEAD) - 64
        rows: list[str] = []
        for step in steps:
            row = _row(step)
            rest -= _size(row)
            if rest < 0:
                break
            rows.append(row)
        if rows:
            page += [_HEAD, *rows]
        if left := len(steps) - len(rows):
            page.append(f"\n{_count(left, 'more step')}\n")
        page.append("\n")
        text = "".join(page).encode(errors="replace")
        return text if len(text) <= limit else b""


def _row(step: VertexTrace) -> str:
    name = visible(step.name[:_NAME_LIMIT])
    transferred = _transferred(step)
    cells = (
        f"<code>{_escape(name)}</code>",
        _result(step),
        "" if step.cached else _time(step.duration_ns(step.intervals[-1].start_ns) if step.intervals else 0),
        format_bytes(transferred) if transferred else "",
    )
    return f"| {' | '.join(cells)} |\n"


def _result(step: VertexTrace) -> str:
    if step.canceled:
        return "canceled"
    if step.failed:
        return "**failed**"
    if step.cached:
        return "cached"
    return "done" if step.completed else "not finished"


def _transferred(step: VertexTrace) -> int:
    return sum(max(counter.current, 0) for counter in step.statuses.values())


def _span(steps: Sequence[VertexTrace]) -> int:
    """From the first start to the last end."""
    intervals = [interval for step in steps for interval in step.intervals]
    starts = [start for start, _ in intervals]
    ends = [start if stop is None else stop for start, stop in intervals]
    return max(ends) - min(starts) if intervals else 0


def _time(duration_ns: int) -> str:
    return f"{max(seconds(duration_ns), 0.0):.1f}s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _escape(text: str) -> str:
    """Text in which nothing is HTML or Markdown: all punctuation as character references."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda found: f"&#{ord(found[0])};", text)


def _fenced(text: str) -> str:
    """Lines as they are, in a fence that none of them ends (CommonMark 4.5)."""
    lines = "\n".join(visible(line) for line in text[:_EXCERPT_LIMIT].rstrip("\n").split("\n"))
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", lines))])
    return f"{fence}\n{lines}\n{fence}\n\n"


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
