"""One row of the live display at a time: a step, a stage, a counter, a piece of log.

A `Painter` knows the width and the characters that may be used; what is shown, others decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from buildctl.model.bytesize import format_bytes
from buildctl.model.status import VertexStatus
from buildctl.progress.line import Line, Measure, Role, Span, cut, cut_front, cut_line, justify
from buildctl.progress.survey import State
from buildctl.progress.visible import visible

_SECOND_NS = 1_000_000_000
_SPINNER_NS = 100_000_000
_RATE_AFTER_NS = _SECOND_NS // 2  # before that a rate is noise
_ERROR_LIMIT = 4096
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that the display is made of, one cell each."""

    queued: str
    done: str
    cached: str
    canceled: str
    failed: str
    spinner: str
    stage: str
    guide: str
    log: str
    bar: str
    rest: str
    ellipsis: str


UNICODE = Glyphs("◦", "✔", "✔", "⊘", "✘", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "▾", "│", "┊", "━", "─", "…")
ASCII = Glyphs(".", "+", "=", "x", "!", "|/-\\", "v", "|", ":", "#", "-", "~")

_ROLES = {
    State.QUEUED: Role.FAINT,
    State.RUNNING: Role.RUN,
    State.DONE: Role.DONE,
    State.CACHED: Role.CACHED,
    State.CANCELED: Role.CANCEL,
    State.FAILED: Role.ERROR,
}


def format_elapsed(duration_ns: int) -> str:
    """`0.4s`, `2m05s`, `1h02m`."""
    tenths = max(duration_ns, 0) // (_SECOND_NS // 10)
    if tenths < 1000:
        return f"{tenths // 10}.{tenths % 10}s"
    minutes, seconds = divmod(tenths // 10, 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rate_of(status: VertexStatus) -> int:
    """Bytes a second so far; 0 while that is not known."""
    elapsed_ns = status.timestamp_ns - (
        status.timestamp_ns if status.started_ns is None else status.started_ns
    )
    return 0 if elapsed_ns < _RATE_AFTER_NS else max(status.current, 0) * _SECOND_NS // elapsed_ns


@dataclass(frozen=True, slots=True)
class Painter:
    """Draws rows of one frame."""

    width: int
    now_ns: int
    measure: Measure
    glyphs: Glyphs
    ascii_only: bool

    def mark(self, state: State) -> Span:
        """The sign of a state; a running one turns."""
        glyphs = self.glyphs
        if state is State.RUNNING:
            glyph = glyphs.spinner[self.now_ns // _SPINNER_NS % len(glyphs.spinner)]
        else:
            glyph = {
                State.QUEUED: glyphs.queued,
                State.DONE: glyphs.done,
                State.CACHED: glyphs.cached,
                State.CANCELED: glyphs.canceled,
                State.FAILED: glyphs.failed,
            }[state]
        return Span(glyph, _ROLES[state])

    def safe(self, text: str) -> str:
        """Text of the daemon, shown rather than obeyed."""
        return visible(text[: 8 * self.width + 64], ascii_only=self.ascii_only)

    def justified(self, left: list[Span], right: list[Span]) -> Line:
        """A row of which the left part gives way."""
        return justify(left, right, self.width, self.measure, self.glyphs.ellipsis)

    def indent(self, depth: int) -> Span:
        return Span((self.glyphs.guide + " ") * depth, Role.FAINT)

    def status(self, status: VertexStatus, depth: int) -> Line:
        """A counter: what it is called, a bar where its total is known, how much and how fast."""
        done = status.completed_ns is not None
        label = self.safe(status.id).rstrip(": ")
        short = _DIGEST.sub(r"\1", label)
        right = self._transfer(status, done)
        left = [self.indent(depth), Span("  "), Span(short, Role.FAINT if done else Role.PLAIN)]
        return self.justified(left, right)

    def _transfer(self, status: VertexStatus, done: bool) -> list[Span]:
        """In columns, so that counters below each other line up."""
        instant = status.completed_ns if status.completed_ns is not None else status.timestamp_ns
        elapsed_ns = instant - (status.started_ns if status.started_ns is not None else instant)
        if not status.current and not status.total:
            return [Span(format_elapsed(elapsed_ns), Role.FAINT)] if done else []
        role = Role.FAINT if done else Role.PLAIN
        fraction = min(max(status.current / status.total, 0.0), 1.0) if status.total > 0 else None
        amount = format_bytes(max(status.current, 0))
        spans: list[Span] = []
        if fraction is not None and not done:
            amount = f"{amount} / {format_bytes(status.total)}"
            bar = self.bar(fraction, 16) if self.width >= 60 else []
            spans += [*bar, Span(f" {fraction:4.0%}")]
        if self.width >= 40 or not spans:
            spans.append(Span(f" {amount:>19}", role))
        rate = 0 if done else rate_of(status)
        if self.width >= 70:
            spans.append(Span(f" {format_bytes(rate) + '/s' if rate else '':>10}", Role.FAINT))
        if self.width >= 90:
            left_s = (status.total - status.current) // rate if rate else 0
            left = f"{format_elapsed(left_s * _SECOND_NS)} left" if left_s > 0 else ""
            spans.append(Span(f" {left:>11}", Role.FAINT))
        return spans

    def bar(self, fraction: float, cells: int) -> list[Span]:
        full = int(fraction * cells)
        return [
            Span(self.glyphs.bar * full, Role.RUN),
            Span(self.glyphs.rest * (cells - full), Role.FAINT),
        ]

    def log(self, line: Line, depth: int) -> Line:
        """A row of a step's output, set off by a line of its own."""
        head = (self.indent(depth), Span(f"  {self.glyphs.log} ", Role.FAINT))
        return cut_line((*head, *line), self.width, self.measure)

    def log_columns(self, depth: int) -> int:
        return max(self.width - 2 * depth - 4, 1)

    def text(self, text: str, role: Role, depth: int) -> Line:
        """A row of words below a step, cut where the window ends."""
        return self.justified([self.indent(depth), Span("  "), Span(text, role)], [])

    def error(self, text: str, depth: int) -> str:
        """An error in one row: of a long one the middle is left out, for its end says most."""
        text = visible(text[-_ERROR_LIMIT:], ascii_only=self.ascii_only)
        room = self.width - 2 * depth - 2
        if self.measure(text) <= room:
            return text
        end = cut_front(text, room * 2 // 3, self.measure, self.glyphs.ellipsis)
        return cut(text, room - self.measure(end), self.measure) + end

    def label(self, text: str, width: int) -> str:
        """A name in at most `width` cells."""
        return cut(text, width, self.measure, self.glyphs.ellipsis)
