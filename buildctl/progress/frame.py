"""What the terminal should look like: a pure function of a build's tree, the time and the window's size.

A head row, then the tree, folded until it fits (`fold`), then the rows left over given to the logs of what
runs. No row is wider than the window and there is always one row less than it has, for the cursor.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from buildctl.model.bytesize import format_bytes
from buildctl.progress.fold import (
    ErrorRow,
    Fold,
    FoldedRow,
    LogRow,
    Row,
    StageRow,
    StatusRow,
    StepRow,
    WarningRow,
    fold,
    size,
    unfold,
)
from buildctl.progress.line import Line, Measure, Role, Span, width_of
from buildctl.progress.row import ASCII, UNICODE, Painter, format_elapsed, plural, rate_of
from buildctl.progress.survey import OVER, BranchSurvey, State, Survey
from buildctl.progress.tree import Step
from buildctl.progress.vt import tail

_FINAL_ROWS = 1000
"""Rows of the last frame, from which on finished stages are folded even there."""
_LONG_NS = 1_000_000_000
"""Before that, being the longest is no news."""
_SHORTEST_BAR, _SHORTEST_LABEL = 4, 8
"""Cells in the head row."""
_LOG_BYTES = 16 << 10
"""Read of a log for one frame, at most: some thousand cells are all that can be seen."""


@dataclass(frozen=True, slots=True)
class Look:
    """How frames are drawn."""

    measure: Measure
    glyphs: bool = True
    ascii_only: bool = False
    log_lines: int = 6
    most_log_lines: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A frame but for the time: it holds until the build says more or the window changes."""

    survey: Survey
    width: int
    look: Look
    rows: Sequence[Row]
    logs: dict[Step, list[Line]]


def arrange(survey: Survey, width: int, height: int, look: Look) -> Layout | None:
    """What a window of `width` by `height` shows while the build runs; None: it has no room."""
    if height < 2 or width < 1:
        return None
    room = height - 2
    # The same as long as anything is to come, whatever runs now: the picture is to be calm.
    unfinished = survey.counts[State.RUNNING] + survey.counts[State.QUEUED]
    reserve = min(2 * look.log_lines, room // 3) if unfinished else 0
    rows = fold(survey.branches, room, reserve)
    logs = _share_out(_painter(0, width, look), rows, room - size(rows), look)
    return Layout(survey, width, look, rows, logs)


def draw(layout: Layout, now_ns: int) -> list[Line]:
    """The picture at one moment, at least one line less than the window has."""
    painter = _painter(now_ns, layout.width, layout.look)
    lines = [_head(painter, layout.survey)]
    for row in layout.rows:
        if isinstance(row, LogRow):
            lines += layout.logs.get(row.step, ())
        else:
            lines.append(_draw(painter, row))
    return lines


def frame(survey: Survey, now_ns: int, width: int, height: int, look: Look) -> list[Line]:
    """The picture in a window of `width` by `height` while the build runs; at most `height` - 1 lines."""
    layout = arrange(survey, width, height, look)
    return [] if layout is None else draw(layout, now_ns)


def final_frame(
    survey: Survey, now_ns: int, width: int, look: Look, outcome: State | None = None
) -> list[Line]:
    """The picture that stays when the build is over: the whole tree, however many rows it takes.

    `outcome` is FAILED or CANCELED where the build is known to have ended so, whatever its steps say. Of
    warnings only their number is shown, for their text does not fit into a row.
    """
    painter = _painter(now_ns, max(width, 1), look)
    rows = unfold(survey.branches, Fold(details=True, stages=False, queued=0), _FINAL_ROWS)
    if rows is None:
        rows = unfold(survey.branches, Fold(queued=0), sys.maxsize) or []
    head = _final_head(painter, survey, outcome)
    shown = (row for row in rows if not isinstance(row, LogRow | WarningRow))
    return [head, *(_draw(painter, row, ended=True) for row in shown)]


def _painter(now_ns: int, width: int, look: Look) -> Painter:
    return Painter(width, now_ns, look.measure, UNICODE if look.glyphs else ASCII, look.ascii_only)


def _share_out(painter: Painter, rows: Sequence[Row], spare: int, look: Look) -> dict[Step, list[Line]]:
    """Give rows to logs: some to each, then what is left to the steps that print most."""
    wanting = sorted(
        (row for row in rows if isinstance(row, LogRow)), key=lambda row: -row.step.vertex.log.total_bytes
    )
    shown: dict[Step, list[Line]] = {}
    if not wanting or spare <= 0:
        return shown
    each = max(1, min(look.log_lines, spare // len(wanting)))
    for row in wanting[:spare]:
        shown[row.step] = _log(painter, row, min(each, spare))
        spare -= len(shown[row.step])
    if look.most_log_lines is not None:
        return shown
    for row in wanting:
        had = len(shown.get(row.step, ()))
        if spare > 0 and had == each:
            shown[row.step] = _log(painter, row, had + spare)
            spare -= len(shown[row.step]) - had
    return shown


def _log(painter: Painter, row: LogRow, count: int) -> list[Line]:
    columns = painter.log_columns(row.depth)
    log = row.step.vertex.log
    # Blank lines are not shown, so some more may be needed than there are rows.
    data, begun = log.last_lines(_LOG_BYTES, 3 * count + 3)
    lines = tail(
        data,
        count,
        columns,
        painter.measure,
        painter.glyphs.ellipsis,
        begun=begun,
        ascii_only=painter.ascii_only,
    )
    return [painter.log(line, row.depth) for line in lines]


def _draw(painter: Painter, row: Row, *, ended: bool = False) -> Line:
    match row:
        case StageRow():
            return _stage(painter, row.survey, row.folded, ended)
        case StepRow():
            return _step(painter, row)
        case StatusRow():
            return painter.status(row.status, row.depth)
        case WarningRow():
            text = row.warning.short.decode(errors="replace")
            return painter.text("WARN: " + painter.safe(text), Role.WARNING, row.depth)
        case ErrorRow():
            return painter.text(painter.error(row.step.vertex.error, row.depth), Role.ERROR, row.depth)
        case FoldedRow():
            return _folded(painter, row, ended)
        case LogRow():
            return ()


def _stage(painter: Painter, branch: BranchSurvey, folded: bool, ended: bool) -> Line:
    state = branch.state
    mark = painter.mark(state)
    if not folded and state is State.RUNNING:
        mark = Span(painter.glyphs.stage, Role.RUN)
    cached = branch.counts[State.CACHED]
    parts = [f"{branch.over}/{plural(len(branch.steps), 'step')}"]
    if cached and state is not State.CACHED:
        parts.append(f"{cached} cached")
    if ended and state is State.QUEUED:
        parts = ["not run"]
    left = [mark, Span(" "), Span(branch.branch.name, Role.STAGE), Span("  " + ", ".join(parts), Role.FAINT)]
    if state is State.QUEUED:
        left[2] = Span(branch.branch.name, Role.FAINT)
        return painter.justified(left, [])
    return painter.justified(left, _time(painter, state, branch.duration_ns(painter.now_ns)))


def _time(painter: Painter, state: State, duration_ns: int) -> list[Span]:
    if state is State.CACHED:
        return [Span("cached", Role.CACHED)]
    return [Span(format_elapsed(duration_ns), Role.PLAIN if state is State.RUNNING else Role.FAINT)]


def _step(painter: Painter, row: StepRow) -> Line:
    vertex, name, state = row.step.vertex, row.step.name, row.state
    left = [painter.indent(row.depth), painter.mark(state), Span(" ")]
    if row.stage and name.stage:
        left += [Span(name.stage, Role.FAINT if state is State.QUEUED else Role.STAGE), Span(" ")]
    left.append(Span(name.label, Role.FAINT if state is State.QUEUED else Role.PLAIN))
    if state is State.QUEUED:
        return painter.justified(left, [])
    right: list[Span] = []
    if state is State.CANCELED and painter.width >= 30:
        right += [Span("canceled  ", Role.CANCEL)]
    if row.warnings and painter.width >= 50:
        right.append(Span(plural(row.warnings, "warning") + "  ", Role.WARNING))
    moved = sum(status.current for status in vertex.statuses.values())
    if moved > 0 and painter.width >= 50 and (state in OVER or row.status is not None):
        if row.status is not None and painter.width >= 70 and (rate := rate_of(row.status)):
            right.append(Span(f"{format_bytes(rate)}/s  ", Role.FAINT))
        right.append(Span(format_bytes(moved) + "  ", Role.FAINT if state in OVER else Role.PLAIN))
    if painter.width >= 30 or state not in OVER:
        right += _time(painter, state, vertex.duration_ns(painter.now_ns))
    return painter.justified(left, right)


def _folded(painter: Painter, row: FoldedRow, ended: bool) -> Line:
    steps = plural(row.steps, "step")
    if row.stages:
        steps = f"{plural(row.stages, 'stage')}, {steps}"
    if row.cached:
        steps += f", {row.cached} cached"
    if row.state is State.DONE:
        left = [painter.indent(row.depth), painter.mark(State.DONE), Span(" " + steps, Role.FAINT)]
        return painter.justified(left, [])
    word = {State.RUNNING: " running", State.FAILED: " failed"}.get(
        row.state, " not run" if ended else " queued"
    )
    text = f"{painter.glyphs.ellipsis} {row.steps} more{word}" if not row.stages else steps + word
    mark = [] if not row.stages else [painter.mark(row.state), Span(" ")]
    return painter.justified([painter.indent(row.depth), *mark, Span(text, Role.FAINT)], [])


def _head(painter: Painter, survey: Survey) -> Line:
    """The totals; what went wrong; the longest running step; and with what room is left, how far it is."""
    title, troubles = _title(painter, survey), _warnings(survey)
    if failed := survey.counts[State.FAILED]:
        troubles.insert(0, Span(f"  {failed} failed", Role.ERROR))
    longest = _Longest.of(painter, survey)
    room = painter.width - width_of([title, *troubles], painter.measure) - (longest.least if longest else 0)
    left = [title]
    if survey.total and painter.width >= 60:
        done = survey.completed + sum(_fraction(step) for step in survey.running)
        fraction = min(done / survey.total, 1.0)
        percent = f" {fraction:.0%}"
        cells = min(painter.width // 4, 40, room - len(percent) - 1)
        if cells >= _SHORTEST_BAR:
            left += [Span(" "), *painter.bar(fraction, cells), Span(percent)]
    left += troubles
    right = longest.shown(painter, painter.width - width_of(left, painter.measure)) if longest else []
    return painter.justified(left, right)


def _title(painter: Painter, survey: Survey) -> Span:
    elapsed = 0 if survey.start_ns is None else painter.now_ns - survey.start_ns
    building = "Building " if painter.width >= 30 else ""
    title = f"[+] {building}{format_elapsed(elapsed)} ({survey.completed}/{survey.total})"
    return Span(title, Role.HEAD)


def _warnings(survey: Survey) -> list[Span]:
    return [Span("  " + plural(survey.warnings, "warning"), Role.WARNING)] if survey.warnings else []


class _Longest(NamedTuple):
    """The step that has run longest; where it stands in its stage is enough to find it in the tree."""

    label: str
    elapsed: str
    least: int
    """Cells that it needs, a gap before it included."""

    @classmethod
    def of(cls, painter: Painter, survey: Survey) -> _Longest | None:
        """None: nothing runs, or not long."""
        longest = max(
            ((step.vertex.duration_ns(painter.now_ns), step.name) for step in survey.running),
            default=(0, None),
        )
        duration_ns, name = longest
        if name is None or duration_ns < _LONG_NS:
            return None
        label = name.label.split()[0] if name.number else name.label
        label = painter.label(f"{name.stage} {label}".strip(), max(painter.width // 4, _SHORTEST_LABEL))
        elapsed = format_elapsed(duration_ns)
        return cls(label, elapsed, min(painter.measure(label), _SHORTEST_LABEL) + len(elapsed) + 3)

    def shown(self, painter: Painter, room: int) -> list[Span]:
        """In so many cells; nothing where they are too few."""
        if room < self.least:
            return []
        title = "longest: " if room >= self.least + len("longest: ") else ""
        label = painter.label(self.label, room - len(title) - len(self.elapsed) - 3)
        return [Span(f"{title}{label} ", Role.FAINT), Span(self.elapsed)]


def _fraction(step: Step) -> float:
    """How much of a running step is done, where its counters have totals."""
    counted = [status for status in step.vertex.statuses.values() if status.total > 0]
    total = sum(status.total for status in counted)
    return min(max(sum(status.current for status in counted) / total, 0.0), 1.0) if total else 0.0


def _final_head(painter: Painter, survey: Survey, outcome: State | None) -> Line:
    told = Span(" FINISHED", Role.DONE)
    if survey.counts[State.FAILED] or outcome is State.FAILED:
        told = Span(" FAILED", Role.ERROR)
    elif survey.counts[State.CANCELED] or outcome is State.CANCELED:
        told = Span(" CANCELED", Role.CANCEL)
    return painter.justified([_title(painter, survey), told, *_warnings(survey)], [])
