"""What a daemon can make this process keep of a build: all that it says has a price, and the sum a limit.

Displays, recordings and reports keep what they get: steps, counters, warnings, names. They get it from here,
so none of them needs a limit of its own, nor does a field that a message may one day have: the price of a
thing is the size of all that is in it, and of what is made of it elsewhere. Logs are no matter of this
budget: who keeps them (`trace.Trace`) drops the oldest.
"""

from __future__ import annotations

from collections import Counter
from operator import is_
from sys import getsizeof
from typing import NamedTuple, TypeVar

from buildctl.model.status import SolveStatus, SourceInfo, Vertex, VertexStatus, VertexWarning

LIMIT = 48 << 20
"""Bytes. An ordinary step costs some 4 kB, so that there is room for ten thousand."""
TEXT_LIMIT = 64 << 10
"""Characters of a name or an error; of a longer one the rest is left out, whatever else there is room for."""
_STUMP = 256
"""Characters of an error that are kept when there is no room: why a build failed is to be told."""

# What each costs besides its texts: measured with the live display, both forms of a timeline
# and the cache metrics; a build of such steps comes to some 120 MB then.
_STEP = 3500
_START = 700
_COUNTER = 900
_WARNING = 900
_INPUT = 120
_COPIES = 2
"""How often a text is in memory while it is told of: as it came, and as it is written."""

Item = TypeVar("Item", Vertex, VertexStatus, VertexWarning)


class _Known(NamedTuple):
    vertex: Vertex
    price: int


class Budget:
    """The account of one build. What is beyond it is left out of messages, and `notice` says so."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._left = limit
        self._steps: dict[str, _Known] = {}
        self._groups: set[str] = set()
        self._counters: dict[tuple[str, str], int] = {}
        self._sources: dict[SourceInfo, SourceInfo] = {}
        self.left_out: Counter[str] = Counter()
        """How many of what was left out."""

    @property
    def notice(self) -> str:
        """What was left out, for people; empty if nothing was."""
        if not self.left_out:
            return ""
        parts = [f"{count} {noun if count != 1 else noun[:-1]}" for noun, count in self.left_out.items()]
        return f"the daemon said more of this build than is kept; left out: {', '.join(parts)}"

    def admit(self, status: SolveStatus) -> SolveStatus:
        """What may be kept of a message: itself, as a rule."""
        vertexes, counters, warnings = status.vertexes, status.statuses, status.warnings
        if vertexes:
            vertexes = _replaced(vertexes, [self._vertex(one) for one in vertexes])
        if counters:
            counters = _replaced(counters, [self._counter(one) for one in counters])
        if warnings:
            warnings = _replaced(warnings, [self._warning(one) for one in warnings])
        if vertexes is status.vertexes and counters is status.statuses and warnings is status.warnings:
            return status
        return SolveStatus(vertexes, counters, status.logs, warnings)

    def _take(self, price: int) -> bool:
        if price > self._left:
            return False
        self._left -= price
        return True

    def _vertex(self, vertex: Vertex) -> Vertex | None:
        known = self._steps.get(vertex.digest)
        if known is not None and _differs_in_time_alone(vertex, known.vertex):
            if vertex.started_ns != known.vertex.started_ns:
                vertex = self._started(vertex, known.vertex)
            self._steps[vertex.digest] = _Known(vertex, known.price)
            return vertex
        if len(vertex.name) > TEXT_LIMIT or len(vertex.error) > TEXT_LIMIT:
            self.left_out["ends of long texts"] += 1
            vertex = vertex._replace(name=vertex.name[:TEXT_LIMIT], error=vertex.error[:TEXT_LIMIT])
        price = _size(vertex) + _INPUT * len(vertex.inputs)
        if known is None:
            return self._new_vertex(vertex, price)
        before = known.vertex
        vertex = self._started(vertex, before)
        group = vertex.progress_group
        grown = max(price - known.price, 0)
        if group is not None and group.id not in self._groups:
            grown += _STEP
        if grown and not self._take(grown):
            self.left_out["changes of steps"] += 1
            vertex = before._replace(
                started_ns=vertex.started_ns,
                completed_ns=vertex.completed_ns,
                cached=vertex.cached,
                error=before.error or vertex.error[:_STUMP],
            )
            price = known.price
        elif group is not None:
            self._groups.add(group.id)
        self._steps[vertex.digest] = _Known(vertex, max(price, known.price))
        return vertex

    def _started(self, vertex: Vertex, before: Vertex) -> Vertex:
        """With the start that it had before, if there is no room for another."""
        is_restart = vertex.started_ns is not None and vertex.started_ns != before.started_ns
        if is_restart and before.started_ns is not None and not self._take(_START):
            self.left_out["restarts"] += 1
            return vertex._replace(started_ns=before.started_ns)
        return vertex

    def _new_vertex(self, vertex: Vertex, price: int) -> Vertex | None:
        group = vertex.progress_group
        is_new_group = group is not None and group.id not in self._groups
        if not self._take(price + _STEP + _STEP * is_new_group):
            self.left_out["steps"] += 1
            return None
        if group is not None:
            self._groups.add(group.id)
        self._steps[vertex.digest] = _Known(vertex, price)
        return vertex

    def _counter(self, counter: VertexStatus) -> VertexStatus | None:
        if counter.vertex not in self._steps:
            return counter  # of which nobody keeps anything
        key = counter.vertex, counter.id
        known = self._counters.get(key)
        price = _size(counter)
        if known is not None and price <= known:
            return counter
        if not self._take(price + _COUNTER if known is None else price - known):
            if known is None:
                self.left_out["counters"] += 1
                return None
            self.left_out["changes of counters"] += 1
            return counter._replace(name="")
        self._counters[key] = price
        return counter

    def _warning(self, warning: VertexWarning) -> VertexWarning | None:
        if warning.vertex not in self._steps:
            return warning  # of which nobody keeps anything
        source = warning.source_info
        if source is not None and source in self._sources:
            # All warnings about a build file have the whole of it with them, which is kept once.
            warning = warning._replace(source_info=self._sources[source])
            price = _size(warning) - _size(source)
        else:
            price = _size(warning)
        if not self._take(price + _WARNING):
            self.left_out["warnings"] += 1
            return None
        if source is not None:
            self._sources.setdefault(source, source)
        return warning


def _differs_in_time_alone(vertex: Vertex, before: Vertex) -> bool:
    """Whether this is what most messages are: nothing that costs anything has changed."""
    return (
        vertex.name == before.name
        and vertex.inputs == before.inputs
        and vertex.error == before.error
        and vertex.cached == before.cached
        and vertex.progress_group == before.progress_group
    )


def _replaced(items: tuple[Item, ...], admitted: list[Item | None]) -> tuple[Item, ...]:
    """What was admitted; `items` itself if that is all of them."""
    if all(map(is_, items, admitted)):
        return items
    return tuple([one for one in admitted if one is not None])


def _size(item: tuple[object, ...]) -> int:
    """Bytes of all that is in a tuple, however its fields are nested and whatever they are called."""
    size = getsizeof(item)
    rest: list[tuple[object, ...]] = [item]
    while rest:
        some = rest.pop()
        size += sum(map(getsizeof, some))
        rest += [value for value in some if isinstance(value, tuple)]
    return _COPIES * size
