"""The errors voice: silence, unless the build fails; then all that the failed steps have printed."""

from __future__ import annotations

from buildctl.model.status import SolveStatus
from buildctl.progress.logtext import LogLines
from buildctl.progress.trace import LOG_BUDGET, Trace, VertexTrace
from buildctl.progress.visible import visible


class FailurePrinter:
    """Prints the whole logs of failed steps at the end.

    They are kept within `log_budget` bytes; the log says how much of its beginning that has cost.
    """

    replaces = False
    restore = b""

    def __init__(self, *, log_budget: int = LOG_BUDGET) -> None:
        self._trace = Trace(log_budget=log_budget)

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        for vertex in self._trace.update(status):
            if vertex.completed and not vertex.error:
                vertex.log.clear()  # it has not failed and will not be shown
        return b""

    def render(self, now_ns: int) -> bytes:
        return b""

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        return between + b"".join(_failure(vertex) for vertex in self._trace.vertexes if vertex.failed)


def _failure(vertex: VertexTrace) -> bytes:
    parts = [f"------\n > {visible(vertex.name)}:\n"]
    if vertex.log.dropped_bytes:
        parts.append(f"[the first {vertex.log.dropped_bytes} bytes of this log were not kept]\n")
    lines = LogLines()
    parts.extend(f"{line}\n" for line in [*lines.feed(vertex.log.pieces), *lines.end()])
    parts.append("------\n")
    return "".join(parts).encode(errors="replace")
