"""The plain voice: a build as lines of text, byte for byte the reference's.

Vertexes take turns: one is current, and its lines come until it completes or another has waited long
enough. Log bytes pass as they are, so what comes out is bytes and may be no UTF-8.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from buildctl.model.status import SolveStatus, VertexStatus
from buildctl.progress.intervals import seconds
from buildctl.progress.log import prefixed
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.wording import amount, ending

# util/progress/progressui/printer.go: the pace at which vertexes take turns and counters are repeated.
_TURN_S = 5.0
_MAX_WAIT_S = 10.0
_REPEAT_NS = 5_000_000_000
_REPEAT_SHARE = 0.05
_NAME_LIMIT = 72
_RING_SLOTS = 10

_WAITING_LIMIT = 64 << 20
"""Log bytes of a waiting vertex (the reference has no bound): with more, its turn comes."""
_LINE_LIMIT = 1 << 20
"""Bytes kept of a line (the reference has no bound) for a later turn and the error block."""


@dataclass(slots=True)
class _Block:
    """What has been printed of a vertex."""

    number: int = 0
    """Its N in `#N`; 0 until it is first printed."""
    heard: int = 0
    count: int = 0
    """Events since its turn last ended."""
    since_ns: int = 0
    """When the first of them came."""
    counters: dict[str, VertexStatus] = field(default_factory=dict)
    """The latest counters considered, printed or not."""
    warnings: int = 0
    line: bytearray = field(default_factory=bytearray)
    """An unterminated last line: seconds and text."""
    line_shown: bool = False
    """That line is the last on the screen and can be gone on with."""
    ring: list[bytes | None] = field(default_factory=lambda: [None] * _RING_SLOTS)
    """The last lines, for the error block."""
    ring_at: int = 0


class PlainPrinter:
    """Prints a trace as it grows. `trim_names` cuts names after 72 bytes (PROGRESS_NO_TRUNC=0)."""

    replaces = False
    restore = b""

    def __init__(self, *, trim_names: bool = False) -> None:
        self._trace = Trace(log_budget=None)
        self._trim_names = trim_names
        self._blocks: dict[VertexTrace, _Block] = {}
        self._pending: dict[VertexTrace, None] = {}
        self._current: VertexTrace | None = None
        self._numbered = 0
        self._begun = False
        self._last: dict[str, tuple[int, int]] = {}
        """By counter id, whatever the vertex: current and timestamp when it was last printed."""
        self._out: list[bytes] = []

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        for vertex, printable in self._trace.update(status).items():
            block = self._blocks.get(vertex)
            if block is None:
                block = self._blocks[vertex] = _Block()
            if block.count == 0:
                block.since_ns = now_ns
            block.count += vertex.events - block.heard
            block.heard = vertex.events
            if printable:
                self._pending[vertex] = None
        return b""

    def render(self, now_ns: int) -> bytes:
        self._print(now_ns)
        return self._flush()

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        self._print(now_ns)
        self._out.append(between)
        for vertex in self._trace.vertexes:
            if vertex.failed:
                self._print_error(vertex)
        return self._flush()

    def _flush(self) -> bytes:
        text = b"".join(self._out)
        self._out.clear()
        return text

    # Whose turn it is

    def _print(self, now_ns: int) -> None:
        shown = [vertex for vertex in self._pending if not vertex.hidden]
        completed = {vertex: None for vertex in shown if vertex.completed}
        running = {vertex: None for vertex in shown if not vertex.completed}
        current = self._current
        if current is not None and current in completed:
            self._print_vertex(current)
        for vertex in sorted(completed, key=_stopped_ns):
            if vertex is not current:
                self._print_vertex(vertex)
        if not running:
            if current is None or not current.started or current.completed:
                self._print_any_running()
            return
        if current is not None:
            if current in running:
                self._print_vertex(current)
            running[current] = None
        self._print_busiest(running, current, current is None or current in completed, now_ns)

    def _print_any_running(self) -> None:
        for vertex in self._trace.vertexes:
            if vertex.started and not vertex.completed:
                self._print_vertex(vertex)
                return

    def _print_busiest(
        self, candidates: dict[VertexTrace, None], current: VertexTrace | None, free: bool, now_ns: int
    ) -> None:
        """Give the turn to the vertex with most to say, if it is `free` or its holder had it long enough."""
        speeds: dict[VertexTrace, float] = {}
        overdue: VertexTrace | None = None
        best: VertexTrace | None = None
        for vertex in candidates:
            block = self._blocks[vertex]
            waited = max(seconds(now_ns - block.since_ns), 1e-9)  # no clock is so fine that it is none
            speeds[vertex] = speed = block.count / waited
            late = vertex is not current and (waited > _MAX_WAIT_S or vertex.log.cost > _WAITING_LIMIT)
            if late and overdue is None:
                overdue = vertex
            if late or best is None or speeds[best] < speed:
                best = vertex
        if best is None:
            return
        if free or current is None:
            self._print_vertex(best)
        elif overdue is not None:
            self._print_vertex(overdue)
        else:
            total = sum(speeds.values())
            held = seconds(now_ns - self._blocks[current].since_ns)
            if total and held * (1 - speeds[current] / total) > _TURN_S:
                self._print_vertex(best)

    # What is printed

    def _print_vertex(self, vertex: VertexTrace) -> None:
        block = self._blocks.setdefault(vertex, _Block())
        if not block.number:
            self._numbered += 1
            block.number = self._numbered
        head = b"#%d " % block.number
        if vertex is not self._current:
            self._leave()
            name = _encode(vertex.name)
            if self._trim_names and len(name) > _NAME_LIMIT:
                name = name[:_NAME_LIMIT] + b"..."
            self._out.append(b"%s%s\n" % (head, name))
        self._pending.pop(vertex, None)
        self._current = vertex
        open_counter = self._print_counters(vertex, block, head)
        for warning in vertex.warnings[block.warnings :]:
            self._out.append(b"%sWARN: %s\n" % (head, warning.short))
        block.warnings = len(vertex.warnings)
        self._print_log(vertex, block, head)
        # A counter still open keeps its vertex open, whatever the vertex says.
        if vertex.completed and not open_counter:
            self._current = None
            block.count = 0
            if vertex.log.open_line:
                self._out.append(b"\n")
            self._out.append(b"%s%s\n" % (head, _encode(ending(vertex))))

    def _leave(self) -> None:
        """End the current vertex's turn and the paragraph."""
        if (old := self._current) is not None:
            block = self._blocks[old]
            # By what has come, not by what was printed of it: the reference looks at its newest bytes.
            if old.log.open_line:
                self._out.append(b"\n")
            block.line_shown = False
            block.count = 0
            self._out.append(b"#%d ...\n" % block.number)
        if self._begun:
            self._out.append(b"\n")
        self._begun = True

    def _print_counters(self, vertex: VertexTrace, block: _Block, head: bytes) -> bool:
        """Print what has changed enough; whether one of those is still open."""
        still_open = False
        for counter in vertex.statuses.values():
            if block.counters.get(counter.id) is counter:
                continue
            block.counters[counter.id] = counter
            if counter.completed_ns is None and not self._worth_repeating(counter):
                continue
            self._last[counter.id] = counter.current, counter.timestamp_ns
            if counter.completed_ns is None:
                still_open = True
            self._out.append(b"%s%s\n" % (head, _encode(counter.id + amount(counter))))
        return still_open

    def _worth_repeating(self, counter: VertexStatus) -> bool:
        last = self._last.get(counter.id)
        if last is None:
            return True
        current, timestamp_ns = last
        grown = (counter.current - current) / counter.total if counter.total > 0 else 0.0
        return grown >= _REPEAT_SHARE or counter.timestamp_ns - timestamp_ns >= _REPEAT_NS

    def _print_log(self, vertex: VertexTrace, block: _Block, head: bytes) -> None:
        pieces = vertex.log.take()
        if not pieces and not block.line:
            return
        text = prefixed(pieces, head, resumed=bool(block.line))
        goes_on = block.line_shown
        if block.line and not goes_on:
            text = head + block.line + text
        self._out.append(text)
        self._note_lines(vertex, block, text, len(head), goes_on)

    def _note_lines(
        self, vertex: VertexTrace, block: _Block, text: bytes, indent: int, goes_on: bool
    ) -> None:
        """Remember the last lines of `text`, all of which but one that `goes_on` begin with the head."""
        block.line_shown = vertex.log.open_line
        if vertex.log.open_line:
            # All lines of a batch that ends in mid-line share a slot, so only that end stays there.
            _, newline, end = text.rpartition(b"\n")
            if newline or not goes_on:
                end = end[indent:]
                block.line.clear()
            block.line += end
            del block.line[:-_LINE_LIMIT]
            block.ring[block.ring_at] = end[-_LINE_LIMIT:]
            return
        block.line.clear()
        count = text.count(b"\n")
        lines = text[:-1].rsplit(b"\n", _RING_SLOTS)[-_RING_SLOTS:]
        block.ring_at += count - len(lines)
        for number, line in enumerate(lines, count - len(lines)):
            kept = line if goes_on and number == 0 else line[indent:]
            block.ring[block.ring_at % _RING_SLOTS] = kept[-_LINE_LIMIT:]
            block.ring_at += 1
        block.ring_at %= _RING_SLOTS

    def _print_error(self, vertex: VertexTrace) -> None:
        self._out.append(b"------\n > %s:\n" % _encode(vertex.name))
        if (block := self._blocks.get(vertex)) is not None:
            rest = bytes(block.line) + prefixed(vertex.log.pieces, b"", resumed=bool(block.line))
            if rest:
                self._out.append(rest if rest.endswith(b"\n") else rest + b"\n")
            ring = block.ring[block.ring_at :] + block.ring[: block.ring_at]
            self._out.extend(line + b"\n" for line in ring if line is not None)
        self._out.append(b"------\n")


def _stopped_ns(vertex: VertexTrace) -> int:
    last = vertex.last_interval
    assert last is not None, "only completed vertexes are ordered by their end"
    assert last.stop_ns is not None, "only completed vertexes are ordered by their end"
    return last.stop_ns


def _encode(text: str) -> bytes:
    return text.encode(errors="replace")
