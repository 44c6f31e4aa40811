"""What of a tree is shown in so many rows: all of it where it fits, else less of what is not under way.

First the details of what is finished go, then finished stages become one row each, then finished steps, then
queued ones; running steps and failed ones go last. Each degree of folding applies to the whole tree and is
chosen by the size of the graph rather than by the moment, so that a picture does not fold and unfold while
logs come and go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from buildctl.model.status import VertexStatus, VertexWarning
from buildctl.progress.survey import OVER, BranchSurvey, State
from buildctl.progress.tree import Step

_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage: the head of its steps, or all there is to see of it."""

    survey: BranchSurvey
    folded: bool


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step; `stage`: its stage's name stands in this row too."""

    step: Step
    state: State
    depth: int
    stage: bool = False
    status: VertexStatus | None = None
    """Its one counter, which has no row of its own."""
    warnings: int = 0
    """Those without rows of their own."""


@dataclass(frozen=True, slots=True)
class StatusRow:
    status: VertexStatus
    depth: int


@dataclass(frozen=True, slots=True)
class WarningRow:
    warning: VertexWarning
    depth: int


@dataclass(frozen=True, slots=True)
class ErrorRow:
    step: Step
    depth: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """Where a step's output goes, if there are rows left."""

    step: Step
    depth: int


@dataclass(frozen=True, slots=True)
class FoldedRow:
    """Steps (and whole stages) that were left out, all in one kind of state."""

    state: State
    steps: int
    depth: int
    stages: int = 0
    cached: int = 0


Row = StageRow | StepRow | StatusRow | WarningRow | ErrorRow | LogRow | FoldedRow


class Fold(NamedTuple):
    """A degree of folding."""

    details: bool = False
    """Counters and warnings of finished steps have rows."""
    stages: bool = True
    """A finished stage is one row."""
    done: int = _ALL
    """How many of the last finished steps an open stage shows."""
    queued: int = _ALL
    """How many of the next steps an open stage shows."""
    statuses: int = _ALL
    """How many unfinished counters a running step shows."""
    sums: bool = True
    """Steps left out of a stage are summed up in a row."""
    merged: bool = False
    """All finished stages are one row, and all queued ones."""


_DEGREES = (
    Fold(details=True, stages=False),
    Fold(stages=False),
    Fold(),
    Fold(done=2, statuses=6),
    Fold(done=0, statuses=4),
    Fold(done=0, queued=3, statuses=4),
    Fold(done=0, queued=0, statuses=2),
    Fold(done=0, queued=0, statuses=2, sums=False),
    Fold(done=0, queued=0, statuses=1, sums=False, merged=True),
    Fold(done=0, queued=0, statuses=0, sums=False, merged=True),
)


def fold(surveys: Sequence[BranchSurvey], rows: int, reserve: int) -> list[Row]:
    """The rows to show in at most `rows`, of which `reserve` are better left to logs. LogRows take none."""
    stages = sum([bool(survey.branch.name) for survey in surveys])
    for degree in _DEGREES:
        if stages > rows - reserve and not degree.merged:
            continue  # for each of them has a row
        shown = unfold(surveys, degree, rows - reserve)
        if shown is not None:
            return shown
    return _flat(surveys, rows)


def size(rows: Sequence[Row]) -> int:
    return len(rows) - len([row for row in rows if isinstance(row, LogRow)])


def unfold(surveys: Sequence[BranchSurvey], degree: Fold, limit: int) -> list[Row] | None:
    """The tree at a degree of folding; None: more than `limit` rows."""
    shown: list[Row] = []
    queued: list[BranchSurvey] = []
    if degree.merged:
        shown += _sum([survey for survey in surveys if survey.finished], State.DONE)
        queued = [survey for survey in surveys if survey.state is State.QUEUED]
        surveys = [survey for survey in surveys if not survey.finished and survey.state is not State.QUEUED]
    taken = len(shown)
    for survey in surveys:
        if taken + _least(survey, degree) > limit:  # most often this saves the rest
            return None
        part = _branch(survey, degree)
        taken += size(part)
        if taken > limit:
            return None
        shown += part
    shown += _sum(queued, State.QUEUED)
    return shown if size(shown) <= limit else None


def _least(survey: BranchSurvey, degree: Fold) -> int:
    """A number of rows that the branch takes at least."""
    if degree.stages and survey.branch.name and (survey.finished or survey.state is State.QUEUED):
        return 1
    queued = survey.counts[State.QUEUED]
    return len(survey.steps) - max(survey.over - degree.done, 0) - max(queued - degree.queued, 0)


def _sum(surveys: Sequence[BranchSurvey], state: State) -> list[Row]:
    if not surveys:
        return []
    steps = sum(len(survey.steps) for survey in surveys)
    cached = sum(survey.counts[State.CACHED] for survey in surveys)
    return [
        FoldedRow(state, steps, 0, stages=sum(bool(survey.branch.name) for survey in surveys), cached=cached)
    ]


def _branch(survey: BranchSurvey, degree: Fold) -> list[Row]:
    named = bool(survey.branch.name)
    if named and len(survey.steps) == 1:
        step, state = survey.steps[0]
        return _step(step, state, 0, degree, stage=True)
    if named and (
        (degree.stages and survey.finished) or (degree.queued < _ALL and survey.state is State.QUEUED)
    ):
        return [StageRow(survey, folded=True)]
    depth = 1 if named else 0
    shown: list[Row] = [StageRow(survey, folded=False)] if named else []
    # A failed step is never folded away, so it is not among the finished ones here.
    over = [pair for pair in survey.steps if pair[1] in OVER and pair[1] is not State.FAILED]
    queued = [pair for pair in survey.steps if pair[1] is State.QUEUED]
    hidden_over = over[: max(len(over) - degree.done, 0)]
    hidden_queued = queued[degree.queued :]
    # A row that says `1 more` would take the place of that one.
    hidden_over = hidden_over if len(hidden_over) > 1 or not degree.sums else []
    hidden_queued = hidden_queued if len(hidden_queued) > 1 or not degree.sums else []
    hidden = {id(step) for step, _ in (*hidden_over, *hidden_queued)}
    if hidden_over and degree.sums:
        cached = sum(state is State.CACHED for _, state in hidden_over)
        shown.append(FoldedRow(State.DONE, len(hidden_over), depth, cached=cached))
    for step, state in survey.steps:
        if id(step) not in hidden:
            shown += _step(step, state, depth, degree)
    if hidden_queued and degree.sums:
        shown.append(FoldedRow(State.QUEUED, len(hidden_queued), depth))
    return shown


def _step(step: Step, state: State, depth: int, degree: Fold, *, stage: bool = False) -> list[Row]:
    vertex = step.vertex
    statuses = list(vertex.statuses.values())
    below: list[Row] = []
    only: VertexStatus | None = None
    if state is State.QUEUED:
        return [StepRow(step, state, depth, stage)]
    if state is State.RUNNING:
        if len(statuses) == 1 and not statuses[0].total:
            only, statuses = statuses[0], []
        # What is finished of a running step gives way to what is not.
        if len(statuses) > degree.statuses:
            statuses = [status for status in statuses if status.completed_ns is None][: degree.statuses]
        below += [StatusRow(status, depth) for status in statuses]
    elif degree.details and not step.name.stage:
        # Outside the stages counters are news of their own: an export's image name, a digest.
        below += [StatusRow(status, depth) for status in statuses if not status.current]
    if degree.details:
        below += [WarningRow(warning, depth) for warning in vertex.warnings]
    if state is State.FAILED:
        below.append(ErrorRow(step, depth))
    if vertex.log.total_bytes and state in (State.RUNNING, State.FAILED):
        below.append(LogRow(step, depth))
    warnings = 0 if degree.details else len(vertex.warnings)
    return [StepRow(step, state, depth, stage, only, warnings), *below]


def _flat(surveys: Sequence[BranchSurvey], rows: int) -> list[Row]:
    """Only what failed and what runs, longest first, each in one row; as many as there are rows."""
    pairs = [pair for survey in surveys for pair in survey.steps]
    failed = [pair for pair in pairs if pair[1] is State.FAILED]
    running = sorted(
        (pair for pair in pairs if pair[1] is State.RUNNING),
        key=lambda pair: _began_ns(pair[0]),
    )
    urgent = failed + running
    kept = urgent if len(urgent) <= rows else urgent[: max(rows - 1, 0)]
    shown: list[Row] = []
    for step, state in kept:
        shown.append(StepRow(step, state, 0, stage=True))
        if step.vertex.log.total_bytes:
            shown.append(LogRow(step, 0))
    if len(kept) < len(urgent) and rows > 0:
        left_out = urgent[len(kept) :]
        state = State.RUNNING if any(pair[1] is State.RUNNING for pair in left_out) else State.FAILED
        shown.append(FoldedRow(state, len(left_out), 0))
    return shown


def _began_ns(step: Step) -> int:
    last = step.vertex.last_interval
    return 0 if last is None else last.start_ns
