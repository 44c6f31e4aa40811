"""A message of a build's past as the messages that it was made of, so that it can be shown at its own pace.

A daemon may keep all that a build has said as one message, in which a step has begun and ended at once.
"""

from __future__ import annotations

from collections import defaultdict

from buildctl.model.status import SolveStatus, Vertex, VertexLog, VertexStatus

_STEP_NS = 50_000_000
"""What happened within so much time is one message: no display shows more."""


def spread(status: SolveStatus) -> list[SolveStatus]:
    """The same, in order of time; what has no time of its own comes first, warnings with the last."""
    vertexes: dict[int, list[Vertex]] = defaultdict(list)
    counters: dict[int, list[VertexStatus]] = defaultdict(list)
    logs: dict[int, list[VertexLog]] = defaultdict(list)
    unborn: list[Vertex] = []
    for vertex in status.vertexes:
        started_ns, completed_ns = vertex.started_ns, vertex.completed_ns
        if started_ns is None:
            unborn.append(vertex)
            continue
        if completed_ns is not None and completed_ns // _STEP_NS > started_ns // _STEP_NS:
            # A display knows that it is there before it begins, and that it runs before it ends.
            unborn.append(vertex._replace(started_ns=None, completed_ns=None, cached=False, error=""))
            vertexes[started_ns // _STEP_NS].append(
                vertex._replace(completed_ns=None, cached=False, error="")
            )
        vertexes[(started_ns if completed_ns is None else completed_ns) // _STEP_NS].append(vertex)
    for counter in status.statuses:
        counters[counter.timestamp_ns // _STEP_NS].append(counter)
    for log in status.logs:
        logs[log.timestamp_ns // _STEP_NS].append(log)
    instants = sorted({*vertexes, *counters, *logs})
    if len(instants) < 2:
        return [status]
    parts = [SolveStatus(tuple(vertexes[at]), tuple(counters[at]), tuple(logs[at])) for at in instants]
    parts[0] = parts[0]._replace(vertexes=(*unborn, *parts[0].vertexes))
    parts[-1] = parts[-1]._replace(warnings=status.warnings)
    return parts
