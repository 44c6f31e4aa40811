"""The grouped voice: each step's output whole, one step after another, in the marks of a `Dialect`.

One step's section is open at a time. The oldest running step that has something to say streams into it until
it completes; the others wait for their turn, and those that have completed meanwhile come first. What waits
is kept in memory up to a limit; beyond it the step with the longest log gets the turn, and the step that lost
it a second section later.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from buildctl.model.status import SolveStatus, VertexStatus, VertexWarning
from buildctl.progress.dialect import Dialect, Level, Place
from buildctl.progress.logtext import LogLines
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.visible import visible
from buildctl.progress.wording import amount, ending

WAITING_LIMIT = 32 << 20
"""Bytes of logs that wait for their turn."""
_ROOM = 1 << 20
"""Bytes of logs that are shown at a time, so that a long one does not hold up the build."""
_REPEAT_NS = 5_000_000_000
_TAIL_LINES = 10
_NAME_LIMIT = 1024
_LATEST = 2**63


@dataclass(slots=True)
class _Step:
    """What has been shown of a vertex."""

    head: str = ""
    """`#N`, once it has been shown."""
    sections: int = 0
    ending: str = ""
    """How it ended when it was last shown."""
    lines: LogLines = field(default_factory=LogLines)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    counters: dict[str, int] = field(default_factory=dict)
    """When each counter was last shown; -1 once it was completed."""
    waiting: int = 0
    """What its log takes of the memory for those that wait."""


class SectionPrinter:
    """Prints a trace in sections."""

    replaces = False

    def __init__(self, dialect: Dialect, *, waiting_limit: int = WAITING_LIMIT) -> None:
        self._dialect = dialect
        self._waiting_limit = waiting_limit
        self._trace = Trace(log_budget=None)
        self._steps: dict[VertexTrace, _Step] = {}
        self._pending: dict[VertexTrace, None] = {}
        self._completed: deque[VertexTrace] = deque()
        self._current: VertexTrace | None = None
        self._waiting = 0
        self._numbered = 0
        self._out: list[str] = []

    @property
    def restore(self) -> bytes:
        """The end of the section that is open."""
        return b"" if self._current is None else _encode(self._dialect.closing(0, failed=False))

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        for vertex, printable in self._trace.update(status).items():
            if printable and vertex is not self._current:
                self._pending[vertex] = None
                self._count_waiting(vertex)
        return b""

    def render(self, now_ns: int) -> bytes:
        self._print(now_ns, _ROOM)
        return self._flush()

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        self._print(now_ns, None)
        if self._current is not None:
            self._end(now_ns, last=True)
        for vertex in sorted(self._pending, key=_began_ns):
            if not vertex.hidden:
                self._begin(vertex, now_ns)
                self._show_log(vertex, None)
                if self._current is not None:
                    self._end(now_ns, last=True)
        self._print_warnings(now_ns)
        self._out.append(between.decode(errors="replace"))
        for vertex in self._trace.vertexes:
            if vertex.failed:
                step = self._steps.get(vertex, _Step())
                self._out.append(self._dialect.failure(_name(vertex), step.tail))
        self._out.append(self._dialect.outcome())
        return self._flush()

    def _flush(self) -> bytes:
        text = "".join(self._out)
        self._out.clear()
        return _encode(text)

    # Whose turn it is

    def _print(self, now_ns: int, room: int | None) -> None:
        while True:
            vertex = self._current or self._begin_next(now_ns)
            if vertex is None:
                return
            if vertex.log.cost > self._waiting_limit:
                room = None  # it says more than is shown at this pace
            room = self._show_log(vertex, room)
            if vertex.log.pieces:
                return  # the rest comes next time
            if vertex.completed or self._waiting > self._waiting_limit:
                self._end(now_ns)
            else:
                return

    def _begin_next(self, now_ns: int) -> VertexTrace | None:
        """Open the section of the next vertex; on the way, show those that have no need of one."""
        while (vertex := self._next()) is not None:
            self._begin(vertex, now_ns)
            if self._current is not None:
                return vertex
        return None

    def _next(self) -> VertexTrace | None:
        if self._waiting > self._waiting_limit:
            longest = max(self._pending, key=lambda vertex: vertex.log.cost)
            if not longest.hidden:
                return longest
            longest.log.clear()  # of a group that is not to be shown
            self._count_waiting(longest)
        shown = [vertex for vertex in self._pending if not vertex.hidden] if not self._completed else []
        if shown:
            self._completed.extend(sorted((v for v in shown if v.completed), key=_began_ns))
        while self._completed:
            vertex = self._completed.popleft()
            if vertex in self._pending and vertex.completed:
                return vertex
        speaking = [vertex for vertex in shown if not vertex.completed and self._has_news(vertex)]
        return min(speaking, key=_began_ns, default=None)

    def _has_news(self, vertex: VertexTrace) -> bool:
        return bool(vertex.log.pieces) or any(
            self._is_news(vertex, counter) for counter in vertex.statuses.values()
        )

    def _is_news(self, vertex: VertexTrace, counter: VertexStatus) -> bool:
        """Whether a counter has completed, or has gone on for a while without being shown."""
        shown_ns = self._steps[vertex].counters.get(counter.id)
        if counter.completed_ns is not None:
            return shown_ns != -1
        since_ns = counter.started_ns if shown_ns is None else shown_ns
        return since_ns is None or counter.timestamp_ns - since_ns >= _REPEAT_NS

    def _count_waiting(self, vertex: VertexTrace) -> None:
        step = self._steps.get(vertex)
        if step is None:
            step = self._steps[vertex] = _Step()
        cost = 0 if vertex is self._current else vertex.log.cost
        self._waiting += cost - step.waiting
        step.waiting = cost

    # What is printed

    def _begin(self, vertex: VertexTrace, now_ns: int) -> None:
        """Open a section for what there is to show, or, of a step that has only ended, say how."""
        del self._pending[vertex]
        step = self._steps[vertex]
        ended = ending(vertex) if vertex.completed else "..."
        if not self._has_news(vertex) and not step.lines.open_line:
            if ended != step.ending:
                head = self._number(step)
                self._out.append(self._dialect.single(head, _name(vertex), _line(ended)))
                step.ending = ended
            return
        head = self._number(step)
        step.sections += 1
        title = f"{head} {_name(vertex)}{' (continued)' if step.sections > 1 else ''}"
        self._out.append(self._dialect.opening(title, now_ns))
        self._current = vertex
        self._count_waiting(vertex)

    def _number(self, step: _Step) -> str:
        if not step.head:
            self._numbered += 1
            step.head = f"#{self._numbered}"
        return step.head

    def _show_log(self, vertex: VertexTrace, room: int | None) -> int | None:
        """Show counters and log lines, up to `room` bytes of log; what is left of the room."""
        if vertex is not self._current:
            return room
        step = self._steps[vertex]
        for counter in vertex.statuses.values():
            if self._is_news(vertex, counter):
                step.counters[counter.id] = -1 if counter.completed_ns is not None else counter.timestamp_ns
                self._show_lines(step, [_line(counter.id) + amount(counter)])
        pieces = vertex.log.take(room)
        lines = step.lines.feed(pieces)
        self._show_lines(step, lines)
        step.tail.extend(lines)
        return room if room is None else room - sum(len(data) for _, data in pieces)

    def _show_lines(self, step: _Step, lines: list[str]) -> None:
        self._out.append(self._dialect.lines(step.head, lines))

    def _end(self, now_ns: int, *, last: bool = False) -> None:
        vertex = self._current
        assert vertex is not None, "a section is open"
        step = self._steps[vertex]
        # A line that goes on when the turn comes again is kept for then.
        rest = step.lines.end() if vertex.completed or last else []
        self._show_lines(step, rest)
        step.tail.extend(rest)
        step.ending = ending(vertex) if vertex.completed else "..."
        self._show_lines(step, [_line(step.ending)])
        if vertex.completed and not vertex.error:
            step.tail.clear()
        self._out.append(self._dialect.closing(now_ns, failed=vertex.failed))
        self._current = None
        if step.lines.open_line:
            self._pending[vertex] = None

    def _print_warnings(self, now_ns: int) -> None:
        """All warnings in a section of their own, each said once, and a notice for each."""
        warnings: dict[tuple[Place | None, str], None] = {}
        for vertex in dict.fromkeys(self._trace.by_digest.values()):
            for warning in vertex.warnings:
                warnings[_place(warning, self._dialect), _line(warning.short.decode(errors="replace"))] = None
        if not warnings:
            return
        title = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
        self._out.append(self._dialect.opening(title, now_ns))
        for place, text in warnings:
            self._out.append(
                self._dialect.line(f"WARN: {text}" if place is None else f"WARN: {place}: {text}")
            )
        self._out.append(self._dialect.closing(now_ns, failed=False))
        for place, text in warnings:
            self._out.append(self._dialect.notice(Level.WARNING, place, text))


def _place(warning: VertexWarning, dialect: Dialect) -> Place | None:
    if warning.source_info is None or not warning.ranges:
        return None
    first = warning.ranges[0]
    path = dialect.locate(warning.source_info.filename)
    return Place(visible(path), first.start.line, max(first.start.line, first.end.line))


def _began_ns(vertex: VertexTrace) -> int:
    return vertex.intervals[0].start_ns if vertex.intervals else _LATEST


def _name(vertex: VertexTrace) -> str:
    return visible(vertex.name[:_NAME_LIMIT])


def _line(text: str) -> str:
    return visible(text)


def _encode(text: str) -> bytes:
    return text.encode(errors="replace")
