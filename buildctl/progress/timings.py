"""Where the time of a build went: steps with their times, totals and the critical path, from a `Trace`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from buildctl.model import gojson
from buildctl.model.instant import format_instant
from buildctl.progress.criticalpath import Task, covered_ns, critical_path
from buildctl.progress.intervals import Interval
from buildctl.progress.survey import State, state_of
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.tree import StepName, grow

VERSION = 1
"""Of the form that `encode_timings` gives; it grows when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True, eq=False)
class StepTiming:
    """A step of a finished build. Instants are nanoseconds since the Unix epoch."""

    vertex: VertexTrace
    name: StepName
    state: State
    intervals: tuple[Interval, ...]
    """When it was at work, in order; none of them still lasts. Empty: it never began."""
    inputs: tuple[VertexTrace, ...]
    size_bytes: int
    """What its counters have counted: bytes downloaded, sent or copied."""
    critical: bool
    """Whether it is on the critical path."""

    @property
    def start_ns(self) -> int | None:
        return self.intervals[0].start_ns if self.intervals else None

    @property
    def end_ns(self) -> int | None:
        return self.intervals[-1].stop_ns if self.intervals else None

    @property
    def duration_ns(self) -> int:
        """Time at work."""
        return sum(stop - start for start, stop in self.intervals if stop is not None)


@dataclass(frozen=True, slots=True)
class Timings:
    """A finished build."""

    start_ns: int
    end_ns: int
    steps: tuple[StepTiming, ...]
    """Stage by stage, as the live tree shows them."""
    critical: tuple[StepTiming, ...]
    """The critical path, in its order."""
    explained_ns: int
    """How much of the time from start to end a step of the critical path was at work."""

    @property
    def wall_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def explained(self) -> float:
        """The critical path's share of the wall time, from 0 to 1."""
        return self.explained_ns / self.wall_ns if self.wall_ns else 0.0

    @property
    def size_bytes(self) -> int:
        return sum(step.size_bytes for step in self.steps)

    @property
    def counts(self) -> Counter[State]:
        return Counter(step.state for step in self.steps)


def take_timings(trace: Trace, *, start_ns: int | None = None, end_ns: int | None = None) -> Timings:
    """The timings of a build that is over.

    It lasted from `start_ns` to `end_ns`, by default from the first start of a step to the last end. A step
    that was never said to end ended with the build; one that ends before it starts took no time.
    """
    marks = [
        instant
        for vertex in trace.vertexes
        for span in vertex.intervals
        for instant in span
        if instant is not None
    ]
    first = min(marks, default=end_ns or 0) if start_ns is None else start_ns
    last = max(marks, default=first) if end_ns is None else end_ns
    last = max(first, last)
    named = [(step.vertex, step.name) for branch in grow(trace) for step in branch.steps]
    spans = {vertex: _closed(vertex.intervals, last) for vertex, _ in named}
    inputs = {vertex: tuple(_inputs(vertex, trace)) for vertex, _ in named}
    path = critical_path(
        [
            Task(vertex, ended[0].start_ns, _stop(ended[-1]), _sum(ended), inputs[vertex])
            for vertex, ended in spans.items()
            if ended
        ]
    )
    critical = set(path)
    steps = {
        vertex: StepTiming(
            vertex,
            name,
            state_of(vertex, ended=True),
            spans[vertex],
            inputs[vertex],
            sum(max(counter.current, 0) for counter in vertex.statuses.values()),
            vertex in critical,
        )
        for vertex, name in named
    }
    explained_ns = covered_ns((span for vertex in path for span in spans[vertex]), first, last)
    return Timings(first, last, tuple(steps.values()), tuple(steps[vertex] for vertex in path), explained_ns)


def encode_timings(timings: Timings) -> bytes:
    """The timings as a JSON document; docs/timings.md says what its fields mean."""
    counts = timings.counts
    fields = {
        "version": VERSION,
        "start": _instant(timings.start_ns),
        "end": _instant(timings.end_ns),
        "duration_ms": _ms(timings.wall_ns),
        "totals": {
            "steps": len(timings.steps),
            **{state.name.lower(): counts[state] for state in State if state is not State.RUNNING},
            "bytes": timings.size_bytes,
            "work_ms": _ms(sum(step.duration_ns for step in timings.steps)),
        },
        "critical_path": {
            "digests": [step.vertex.digest for step in timings.critical],
            "duration_ms": _ms(sum(step.duration_ns for step in timings.critical)),
            "explained_ms": _ms(timings.explained_ns),
            "explained": round(timings.explained, 4),
        },
        "steps": [_step(step, timings.start_ns) for step in timings.steps],
    }
    return gojson.encode(fields, indent=1, escape_html=False) + b"\n"


def _step(step: StepTiming, origin_ns: int) -> dict[str, Any]:
    vertex = step.vertex
    return {
        "name": vertex.name,
        "stage": step.name.stage,
        "digest": vertex.digest,
        "state": step.state.name.lower(),
        "cached": vertex.cached,
        "start": _instant(step.start_ns),
        "end": _instant(step.end_ns),
        "duration_ms": _ms(step.duration_ns),
        "intervals_ms": [
            [_ms(start - origin_ns), _ms(stop - origin_ns)]
            for start, stop in step.intervals
            if stop is not None
        ],
        "inputs": [needed.digest for needed in step.inputs],
        "bytes": step.size_bytes,
        "critical": step.critical,
        "error": vertex.error,
    }


def _inputs(vertex: VertexTrace, trace: Trace) -> Iterator[VertexTrace]:
    """What it needs and is shown, once each; a member of a group is its group."""
    found = (trace.by_digest.get(digest) for digest in vertex.inputs)
    for needed in dict.fromkeys(found):
        if needed is not None and needed is not vertex and not needed.hidden:
            yield needed


def _closed(intervals: Sequence[Interval], end_ns: int) -> tuple[Interval, ...]:
    return tuple(Interval(start, max(start, end_ns if stop is None else stop)) for start, stop in intervals)


def _stop(interval: Interval) -> int:
    assert interval.stop_ns is not None
    return interval.stop_ns


def _sum(intervals: tuple[Interval, ...]) -> int:
    return sum(_stop(interval) - interval.start_ns for interval in intervals)


def _instant(instant_ns: int | None) -> str | None:
    """RFC 3339; None for an instant that has not come or is out of every calendar."""
    try:
        return None if instant_ns is None else format_instant(instant_ns)
    except OverflowError:
        return None


def _ms(duration_ns: int) -> float:
    return round(duration_ns / 1e6, 3)
