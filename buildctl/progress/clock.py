"""The daemon's instants on this machine's clock, so that what is under way can be timed here.

The first vertex to start is taken to have started when the build began here; from then on everything
is moved by the same difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from buildctl.model.status import SolveStatus, UnreadLogs, Vertex, VertexLog, VertexStatus


class ClientClock:
    """Moves the messages of one build; `began_ns` is when it began, by the client's clock."""

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self._ahead_ns: int | None = None
        """How far the daemon's clock is ahead; None until a vertex has started."""

    def adjust(self, status: SolveStatus) -> SolveStatus:
        """The same message by the client's clock; unchanged while nothing has started."""
        if self._ahead_ns is None:
            # The last start of the first message that has one, as the reference takes it.
            starts = [vertex.started_ns for vertex in status.vertexes if vertex.started_ns is not None]
            if not starts:
                return status
            self._ahead_ns = starts[-1] - self._began_ns
        ahead = self._ahead_ns
        return SolveStatus(
            tuple(_vertex(vertex, ahead) for vertex in status.vertexes),
            tuple(_counter(counter, ahead) for counter in status.statuses),
            _logs(status.logs, ahead),
            status.warnings,
        )


def _vertex(vertex: Vertex, ahead_ns: int) -> Vertex:
    return Vertex(
        vertex.digest,
        vertex.name,
        vertex.inputs,
        vertex.cached,
        _moved(vertex.started_ns, ahead_ns),
        _moved(vertex.completed_ns, ahead_ns),
        vertex.error,
        vertex.progress_group,
    )


def _counter(counter: VertexStatus, ahead_ns: int) -> VertexStatus:
    return VertexStatus(
        counter.id,
        counter.vertex,
        counter.name,
        counter.current,
        counter.total,
        counter.timestamp_ns - ahead_ns,
        _moved(counter.started_ns, ahead_ns),
        _moved(counter.completed_ns, ahead_ns),
    )


def _logs(logs: Sequence[VertexLog], ahead_ns: int) -> Sequence[VertexLog]:
    if isinstance(logs, UnreadLogs):
        return logs.moved(ahead_ns)
    return tuple([VertexLog(digest, data, fd, at_ns - ahead_ns) for digest, data, fd, at_ns in logs])


def _moved(instant_ns: int | None, ahead_ns: int) -> int | None:
    return None if instant_ns is None else instant_ns - ahead_ns
