"""Where every step of a tree stands: what a frame is decided on, kept up to date at little cost."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from buildctl.model.status import SolveStatus
from buildctl.progress.intervals import merge_intervals
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.tree import Branch, Step, grow


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
    if not vertex.started:
        return State.QUEUED
    if not vertex.completed:
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
    warnings: int
    over: int = field(init=False)
    """Steps that will not run any more."""
    finished: bool = field(init=False)
    """All is over and nothing failed."""

    def __post_init__(self) -> None:
        counts = self.counts
        self.over = len(self.steps) - counts[State.QUEUED] - counts[State.RUNNING]
        self.finished = self.state in (State.DONE, State.CACHED, State.CANCELED)

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
    return _sum(trace, [_look(branch, ended=ended) for branch in branches])


class Surveyor:
    """Surveys a trace again and again, each time only the branches of which there is news."""

    def __init__(self, trace: Trace, *, ascii_only: bool = False) -> None:
        self._trace = trace
        self._ascii_only = ascii_only
        self._shapes: dict[VertexTrace, int] = {}
        """What the tree is made of."""
        self._looked: dict[Branch, BranchSurvey] | None = None
        """None: the tree is not up to date."""
        self._branch_of: dict[VertexTrace, Branch] = {}
        self._news: set[VertexTrace] = set()
        self._survey: Survey | None = None

    def note(self, status: SolveStatus) -> None:
        """A message has been taken in by the trace."""
        if not status.vertexes and not status.warnings:
            return  # logs and counters change nothing that a survey tells
        self._survey = None
        by_digest = self._trace.by_digest
        for announced in status.vertexes:
            vertex = by_digest.get(announced.digest)
            if vertex is None:
                continue  # one too many to be kept
            if self._shapes.get(vertex) != vertex.shape:
                self._shapes[vertex] = vertex.shape
                self._looked = None
            self._news.add(vertex)
        self._news.update(by_digest[one.vertex] for one in status.warnings if one.vertex in by_digest)

    def survey(self) -> Survey:
        """Where every step stands now."""
        if self._survey is None:
            if self._looked is None:
                tree = grow(self._trace, ascii_only=self._ascii_only)
                self._branch_of = {step.vertex: branch for branch in tree for step in branch.steps}
                self._looked = {branch: _look(branch) for branch in tree}
            else:
                for branch in {self._branch_of[vertex] for vertex in self._news if vertex in self._branch_of}:
                    self._looked[branch] = _look(branch)
            self._news.clear()
            self._survey = _sum(self._trace, list(self._looked.values()))
        return self._survey


def _look(branch: Branch, *, ended: bool = False) -> BranchSurvey:
    steps = [(step, state_of(step.vertex, ended=ended)) for step in branch.steps]
    counts = Counter([state for _, state in steps])
    warnings = sum([len(step.vertex.warnings) for step in branch.steps])
    return BranchSurvey(branch, steps, counts, _state_of_all(counts), warnings)


def _sum(trace: Trace, branches: list[BranchSurvey]) -> Survey:
    counts: Counter[State] = Counter()
    running: list[Step] = []
    for branch in branches:
        for state, count in branch.counts.items():
            counts[state] += count
        if branch.counts[State.RUNNING]:
            running += [step for step, state in branch.steps if state is State.RUNNING]
    warnings = sum([branch.warnings for branch in branches])
    completed, total = trace.counts()
    return Survey(branches, counts, running, warnings, completed, total, trace.start_ns)


def _state_of_all(counts: Counter[State]) -> State:
    if len(counts) == 1:
        return next(iter(counts))
    if State.FAILED in counts:
        return State.FAILED
    if State.RUNNING in counts or State.QUEUED in counts:
        return State.RUNNING
    return State.CANCELED if State.CANCELED in counts else State.DONE
