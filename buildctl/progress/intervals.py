"""When a vertex was at work: spans of time, and their union.

A vertex may be reported started and completed by a cache probe and started again later, so its time is
a set of intervals rather than one.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def seconds(duration_ns: int) -> float:
    """A duration as the float that Go's Duration.Seconds gives: whole seconds and the rest, added.

    One division would round differently in the last place, which `%.3f` can show.
    """
    if duration_ns < 0:
        return -seconds(-duration_ns)
    return duration_ns // 1_000_000_000 + duration_ns % 1_000_000_000 / 1e9
