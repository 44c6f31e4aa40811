"""The critical path: the chain of steps whose durations, added up, are what a build cannot be quicker than.

A step depends on its inputs. Some steps have no place in the graph, neither inputs nor dependents: a build
file is loaded and a registry asked before the graph exists, results are exported after it. Such a step is
taken to have held up all that began after its end, and to have waited for all that ended before it began.
Of every chain of such dependencies the one with the greatest sum of durations is the critical path.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from buildctl.progress.intervals import Interval, merge_intervals

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Task(Generic[K]):
    """A step that ran: when, in nanoseconds, and what it needed. Inputs that are no tasks are ignored."""

    key: K
    start_ns: int
    end_ns: int
    duration_ns: int
    """Time at work: less than from start to end for a step that was interrupted. Below zero is none."""
    inputs: tuple[K, ...] = ()


class _Best(NamedTuple):
    """The heaviest chain that ends with a task: its weight, then when it ends, and who comes before."""

    weight_ns: int
    end_ns: int
    at: int


def critical_path(tasks: Sequence[Task[K]]) -> list[K]:
    """The keys of the critical path, in its order; of chains that weigh the same, one that ends late.

    Keys are unique. Any input is taken: where the graph has cycles, the dependency that would close one does
    not count. Time is O(n log n) in tasks and inputs.
    """
    inputs = _inputs(tasks)
    apart = _apart(inputs)
    ends = sorted({task.end_ns for task in tasks})
    rank = {end: position for position, end in enumerate(ends)}
    every, loose = _Greatest(len(ends)), _Greatest(len(ends))
    best: dict[int, _Best] = {}
    before: dict[int, int] = {}
    for index in _ordered(tasks, inputs):
        task = tasks[index]
        candidates = [best[needed] for needed in inputs[index] if needed in best]
        earlier = (every if apart[index] else loose).below(bisect.bisect_right(ends, task.start_ns))
        if earlier is not None:
            candidates.append(earlier)
        weight_ns = max(task.duration_ns, 0)
        if candidates:
            previous = max(candidates)
            before[index] = previous.at
            weight_ns += previous.weight_ns
        best[index] = found = _Best(weight_ns, task.end_ns, index)
        every.put(rank[task.end_ns], found)
        if apart[index]:
            loose.put(rank[task.end_ns], found)
    path: list[K] = []
    at: int | None = max(best.values()).at if best else None
    while at is not None:
        path.append(tasks[at].key)
        at = before.get(at)
    return path[::-1]


def covered_ns(intervals: Iterable[Interval], start_ns: int, end_ns: int) -> int:
    """How much of the time from `start_ns` to `end_ns` lies in any of the intervals, which have ends."""
    stops: dict[int, int | None] = {}
    for begin, stop in intervals:
        assert stop is not None, "an interval that lasts has no length"
        begin, stop = max(begin, start_ns), min(stop, end_ns)
        known = stops.get(begin)
        if stop > begin and (known is None or stop > known):
            stops[begin] = stop
    return sum(stop - begin for begin, stop in merge_intervals(stops) if stop is not None)


def _inputs(tasks: Sequence[Task[K]]) -> list[list[int]]:
    """Each task's inputs as positions, once each, without itself."""
    position: Mapping[K, int] = {task.key: index for index, task in enumerate(tasks)}
    return [
        [position[key] for key in dict.fromkeys(task.inputs) if key in position and position[key] != index]
        for index, task in enumerate(tasks)
    ]


def _apart(inputs: Sequence[Sequence[int]]) -> list[bool]:
    """Which tasks have no place in the graph."""
    needed = {index for row in inputs for index in row}
    return [not row and index not in needed for index, row in enumerate(inputs)]


def _ordered(tasks: Sequence[Task[K]], inputs: Sequence[Sequence[int]]) -> Iterable[int]:
    """Positions, inputs first; otherwise by start. A cycle is entered at its earliest task."""
    dependents: list[list[int]] = [[] for _ in tasks]
    waiting = [len(row) for row in inputs]
    for index, row in enumerate(inputs):
        for needed in row:
            dependents[needed].append(index)
    starts = [(task.start_ns, index) for index, task in enumerate(tasks)]
    ready = [item for item in starts if not waiting[item[1]]]
    heapq.heapify(ready)
    stuck = iter(sorted(starts))
    done = [False] * len(tasks)
    while True:
        if ready:
            _, index = heapq.heappop(ready)
        else:
            index = next((index for _, index in stuck if not done[index]), -1)
            if index < 0:
                return
        if done[index]:
            continue
        done[index] = True
        yield index
        for dependent in dependents[index]:
            waiting[dependent] -= 1
            if not waiting[dependent] and not done[dependent]:
                heapq.heappush(ready, (tasks[dependent].start_ns, dependent))


class _Greatest:
    """The greatest of the values put at positions below any other: a Fenwick tree."""

    def __init__(self, size: int) -> None:
        self._tree: list[_Best | None] = [None] * (size + 1)

    def put(self, position: int, value: _Best) -> None:
        position += 1
        while position < len(self._tree):
            known = self._tree[position]
            if known is None or value > known:
                self._tree[position] = value
            position += position & -position

    def below(self, position: int) -> _Best | None:
        """The greatest at positions under `position`."""
        found: _Best | None = None
        while position > 0:
            known = self._tree[position]
            if known is not None and (found is None or known > found):
                found = known
            position -= position & -position
        return found
