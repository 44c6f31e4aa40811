"""Where every step of a tree stands: what a frame is decided on."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from buildctl.progress.intervals import merge_intervals
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.tree import Branch, Step


class State(enum.IntEnum):
    """What a step is doing. Integers, because frames look them up by the thousand."""

    QUEUED = enum.auto()
    RUNNING = enum.auto()
    DONE = enum.auto()
    CACHED = enum.auto()
    CANCELED = enum.auto()
    FAILED = enum.auto()


OVER = frozenset((State.DONE, State.CACHED, State.CANCELED, State.FAILED))


def state_of(vertex: VertexTrace, *, ended: bool = False) -> State:
    """`ended`: the build is over, and what still ran will never be heard of again."""
    if vertex.error:
        return State.CANCELED if vertex.canceled else State.FAILED
    intervals = vertex.intervals
    if not intervals:
        return State.QUEUED
    if intervals[-1].stop_ns is None:
        return State.CANCELED if ended else State.RUNNING
    return State.CACHED if vertex.cached else State.DONE


@dataclass(slots=True, eq=False)
class BranchSurvey:
    """A branch at one moment."""

    branch: Branch
    steps: list[tuple[Step, State]]
    counts: Counter[State]
    state: State
    """What the branch as a whole is doing; RUNNING also where it only waits in the middle."""

    @property
    def over(self) -> int:
        """Steps that will not run any more."""
        return sum(self.counts[state] for state in OVER)

    @property
    def finished(self) -> bool:
        """All is over and nothing failed."""
        return self.state in (State.DONE, State.CACHED, State.CANCELED)

    def duration_ns(self, now_ns: int) -> int:
        """How long any of the steps was at work."""
        stops: dict[int, int | None] = {}
        for step, _ in self.steps:
            for start, stop in step.vertex.intervals:
                # Steps that began in the same nanosecond: the longer one counts, an open one most.
                stops[start] = stop if start not in stops else _later(stops[start], stop)
        return sum((now_ns if stop is None else stop) - start for start, stop in merge_intervals(stops))


def _later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


@dataclass(frozen=True, slots=True)
class Survey:
    """All that a frame needs to know of a build, but the time."""

    branches: list[BranchSurvey]
    counts: Counter[State]
    running: list[Step]
    warnings: int
    completed: int
    total: int
    """As the head row counts them (`Trace.counts`)."""
    start_ns: int | None


def survey(trace: Trace, branches: Iterable[Branch], *, ended: bool = False) -> Survey:
    """Look at every step once. `ended`: the build is over, what still runs was left behind."""
    looked: list[BranchSurvey] = []
    all_counts: Counter[State] = Counter()
    running: list[Step] = []
    warnings = 0
    for branch in branches:
        steps = [(step, state_of(step.vertex, ended=ended)) for step in branch.steps]
        counts = Counter(state for _, state in steps)
        looked.append(BranchSurvey(branch, steps, counts, _state_of_all(counts)))
        all_counts += counts
        warnings += sum(len(step.vertex.warnings) for step in branch.steps)
        running += [step for step, state in steps if state is State.RUNNING]
    completed, total = trace.counts()
    return Survey(looked, all_counts, running, warnings, completed, total, trace.start_ns)


def _state_of_all(counts: Counter[State]) -> State:
    if len(counts) == 1:
        return next(iter(counts))
    if State.FAILED in counts:
        return State.FAILED
    if State.RUNNING in counts or State.QUEUED in counts:
        return State.RUNNING
    return State.CANCELED if State.CANCELED in counts else State.DONE
