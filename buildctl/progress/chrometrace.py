"""Timings as Chrome's trace events, which Perfetto and chrome://tracing show.

Stages are processes; steps are complete events in as many threads as have to be side by side; each input is a
flow from the end of one step to the beginning of the next. Times are microseconds after the build began.
Format: "Trace Event Format", the Chromium project.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from buildctl.model import gojson
from buildctl.progress.timings import StepTiming, Timings

_OTHERS = "other steps"
_NAME_LIMIT = 4096  # characters of a name or an error


def encode_chrome_trace(timings: Timings) -> bytes:
    """The build as a JSON object of trace events."""
    stages: dict[str, list[StepTiming]] = {}
    for step in timings.steps:
        if step.intervals:
            stages.setdefault(step.name.stage or _OTHERS, []).append(step)
    events: list[dict[str, Any]] = []
    placed: dict[object, dict[str, Any]] = {}
    for process, (stage, steps) in enumerate(stages.items(), 1):
        events.append(_named("process_name", process, 0, stage))
        events.append(
            {"ph": "M", "name": "process_sort_index", "pid": process, "args": {"sort_index": process}}
        )
        for thread, step in _lanes(steps):
            for number, (start, stop) in enumerate(step.intervals):
                event = _event(step, process, thread, start - timings.start_ns, (stop or start) - start)
                events.append(event)
                if not number:
                    placed[step.vertex] = event
    events += _flows(timings.steps, placed)
    return gojson.encode({"displayTimeUnit": "ms", "traceEvents": events}) + b"\n"


def _lanes(steps: Iterable[StepTiming]) -> Iterator[tuple[int, StepTiming]]:
    """Each step with the lowest lane, from 1, in which nothing else is going on."""
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    lanes = 0
    for step in sorted(steps, key=lambda step: step.intervals[0].start_ns):
        start_ns = step.intervals[0].start_ns
        while busy and busy[0][0] <= start_ns:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lanes += 1
            lane = lanes
        heapq.heappush(busy, (step.end_ns or start_ns, lane))
        yield lane, step


def _event(step: StepTiming, process: int, thread: int, start_ns: int, duration_ns: int) -> dict[str, Any]:
    vertex = step.vertex
    return {
        "ph": "X",
        "name": step.name.label,
        "cat": step.state.name.lower() + (",critical" if step.critical else ""),
        "pid": process,
        "tid": thread,
        "ts": _us(start_ns),
        "dur": _us(duration_ns),
        "args": {
            "name": vertex.name[:_NAME_LIMIT],
            "digest": vertex.digest,
            "state": step.state.name.lower(),
            "critical": step.critical,
            "bytes": step.size_bytes,
            **({"error": vertex.error[-_NAME_LIMIT:]} if vertex.error else {}),
        },
    }


def _flows(steps: Iterable[StepTiming], placed: dict[object, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    number = 0
    for step in steps:
        target = placed.get(step.vertex)
        for needed in step.inputs if target else ():
            source = placed.get(needed)
            if source is None or target is None:
                continue
            number += 1
            arrow = {"name": "input", "cat": "input", "id": number}
            # A flow is bound to the event in which it lies.
            yield {**arrow, "ph": "s", **_at(source, source["ts"] + source["dur"])}
            yield {**arrow, "ph": "f", "bp": "e", **_at(target, target["ts"])}


def _at(event: dict[str, Any], instant_us: float) -> dict[str, Any]:
    return {"pid": event["pid"], "tid": event["tid"], "ts": round(instant_us, 3)}


def _named(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _us(duration_ns: int) -> float:
    return round(duration_ns / 1e3, 3)
