"""When a vertex was at work: spans of time, and their union.

A vertex may be reported started and completed by a cache probe and started again later, so its time is
a set of intervals rather than one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple


class Interval(NamedTuple):
    """A span of time; `stop_ns` is None while it lasts."""

    start_ns: int
    stop_ns: int | None


def merge_intervals(stops: Mapping[int, int | None]) -> list[Interval]:
    """The union, in order of time, of intervals given as start to stop.

    Intervals that overlap or touch become one; an open one swallows all that starts after it.
    """
    if len(stops) < 2:
        return [Interval(start, stop) for start, stop in stops.items()]
    merged: list[Interval] = []
    begin, end = next(ordered := iter(sorted(stops.items())))  # starts are unique, so stops are not compared
    for start, stop in ordered:
        if end is None:
            break
        if end < start:
            merged.append(Interval(begin, end))
            begin, end = start, stop
        elif stop is None or stop > end:
            end = stop
    merged.append(Interval(begin, end))
    return merged


_EXACT = 256
"""Spans of one vertex up to which it may take back the end of one; beyond, an end only moves later."""
_start = itemgetter(0)


class Spans:
    """The same union, kept up as starts and stops come, at about the same cost however many there were.

    A start that comes again has another stop.
    """

    __slots__ = ("_closed", "_open", "_stops")

    def __init__(self) -> None:
        self._stops: dict[int, int | None] = {}
        self._closed: list[Interval] = []
        """The union of those that have a stop."""
        self._open: list[int] = []
        """Where the others start, in order."""

    def __bool__(self) -> bool:
        return bool(self._stops)

    @property
    def ended(self) -> bool:
        """There are some, and none lasts."""
        return not self._open and bool(self._stops)

    @property
    def last(self) -> Interval | None:
        """The last of the union."""
        if not self._open:
            return self._closed[-1] if self._closed else None
        place = self._reached(self._open[0])
        return Interval(self._open[0] if place is None else self._closed[place].start_ns, None)

    @property
    def last_start_ns(self) -> int | None:
        """Where that begins; asked for every log."""
        if not self._closed:
            return self._open[0] if self._open else None
        last = self.last
        return None if last is None else last.start_ns

    @property
    def merged(self) -> Sequence[Interval]:
        """The union, not to be changed."""
        if not self._open:
            return self._closed
        begin = self._open[0]
        place = self._reached(begin)
        if place is None:
            before = bisect_right(self._closed, begin, key=_start)
            return [*self._closed[:before], Interval(begin, None)]
        return [*self._closed[:place], Interval(self._closed[place].start_ns, None)]

    def knows(self, start_ns: int, stop_ns: int | None) -> bool:
        """Whether that was the last that was said of this start."""
        return start_ns in self._stops and self._stops[start_ns] == stop_ns

    def put(self, start_ns: int, stop_ns: int | None) -> None:
        """Take in a span, or a new stop of a known one."""
        known = start_ns in self._stops
        before = self._stops.get(start_ns)
        self._stops[start_ns] = stop_ns
        if known and before == stop_ns:
            return
        if known and before is None:
            del self._open[bisect_left(self._open, start_ns)]
        elif before is not None and (stop_ns is None or stop_ns < before) and len(self._stops) <= _EXACT:
            self._closed = merge_intervals({s: e for s, e in self._stops.items() if e is not None})
        if stop_ns is None:
            insort(self._open, start_ns)
        else:
            self._close(start_ns, stop_ns)

    def _close(self, begin: int, end: int) -> None:
        closed = self._closed
        if not closed or (closed[-1].start_ns < begin and (closed[-1].stop_ns or begin) < begin):
            closed.append(Interval(begin, end))  # as nearly always
            return
        low = high = bisect_right(closed, begin, key=_start)
        if (place := self._reached(begin)) is not None:
            low = place
            begin, stop = closed[place]
            end = max(end, stop or end)
        while high < len(closed) and closed[high].start_ns <= end:
            end = max(end, closed[high].stop_ns or end)
            high += 1
        closed[low:high] = [Interval(begin, end)]

    def _reached(self, instant: int) -> int | None:
        """Which closed interval begins at or before the instant and reaches it."""
        place = bisect_right(self._closed, instant, key=_start) - 1
        if place < 0:
            return None
        start, stop = self._closed[place]
        return place if start == instant or (stop is not None and stop >= instant) else None


def seconds(duration_ns: int) -> float:
    """A duration as the float that Go's Duration.Seconds gives: whole seconds and the rest, added.

    One division would round differently in the last place, which `%.3f` can show.
    """
    if duration_ns < 0:
        return -seconds(-duration_ns)
    return duration_ns // 1_000_000_000 + duration_ns % 1_000_000_000 / 1e9
