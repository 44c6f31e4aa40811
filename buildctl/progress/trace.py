"""All that a build has said so far: a fold over the Status stream, which knows no clock and no width.

A display asks a `Trace` for its vertexes and draws them. Logs are bounded by `log_budget` (see `Trace`);
everything else by the `Budget` of `display.Display`, which is asked once, before anybody gets a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from buildctl.model.status import (
    ProgressGroup,
    SolveStatus,
    UnreadLogs,
    Vertex,
    VertexStatus,
    VertexWarning,
)
from buildctl.progress.intervals import Interval, Spans
from buildctl.progress.log import PIECE_OVERHEAD, Log

LOG_BUDGET = 64 << 20
"""Bytes of logs kept by default. A daemon passes 2 MiB a step unless told otherwise, so thirty failed
or running steps fit whole."""

_CANCELED = "context canceled"


@dataclass(slots=True, eq=False)
class VertexTrace:
    """A vertex, or a progress group shown as one: what is known of it now."""

    digest: str
    name: str = ""
    cached: bool = False
    error: str = ""
    is_group: bool = False
    hidden: bool = False
    """A group of which only weak members have started."""
    statuses: dict[str, VertexStatus] = field(default_factory=dict)
    """The latest of each counter by id, in the order in which they started; the others are not shown."""
    warnings: list[VertexWarning] = field(default_factory=list)
    log: Log = field(default_factory=Log)
    events: int = 0
    """How often it has been heard of: a measure of how busy it is."""
    shape: int = 0
    """How often its name, its inputs or whether it is hidden has changed."""
    _spans: Spans = field(default_factory=Spans)
    _last: Vertex | None = None
    _inputs: tuple[str, ...] | None = ()
    _members: dict[str, Vertex] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)
    """In what order the members came."""
    _touched: dict[str, Vertex | None] = field(default_factory=dict)
    """Members of which the message tells, and what was known of each."""
    _uncached: int = 0
    """Members that are not cached."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Digests; look them up in `Trace.by_digest`, which knows members of a group as the group."""
        if self._inputs is None:
            needed = dict.fromkeys(digest for member in self._members.values() for digest in member.inputs)
            self._inputs = tuple(digest for digest in needed if digest not in self._members)
        return self._inputs

    @property
    def intervals(self) -> Sequence[Interval]:
        """When it was at work, merged and in order; empty before the start."""
        return self._spans.merged

    @property
    def last_interval(self) -> Interval | None:
        """The last of them, at less cost."""
        return self._spans.last

    @property
    def started(self) -> bool:
        return bool(self._spans)

    @property
    def completed(self) -> bool:
        return self._spans.ended

    @property
    def canceled(self) -> bool:
        return self.error.endswith(_CANCELED)

    @property
    def failed(self) -> bool:
        """It has an error of its own, rather than one that came of another's."""
        return bool(self.error) and not self.canceled

    def duration_ns(self, now_ns: int) -> int:
        """How long it was at work until `now_ns`."""
        return sum((now_ns if stop is None else stop) - start for start, stop in self.intervals)

    def _absorb(self, vertex: Vertex) -> bool:
        """Take in a message about this vertex; whether it is news."""
        last = self._last
        if vertex.started_ns is not None:
            self._last = vertex
            self._spans.put(vertex.started_ns, vertex.completed_ns)
        elif self._spans:
            return False  # a repeated announcement takes nothing back
        if not self.shape or vertex.name != self.name or vertex.inputs != self._inputs:
            self.shape += 1
        self.digest, self.name = vertex.digest, vertex.name
        self.cached, self.error, self._inputs = vertex.cached, vertex.error, vertex.inputs
        if vertex.started_ns is None:
            return False
        # A completion is news even if it is the same again (the reference compares it by pointer).
        return (
            last is None
            or vertex.completed_ns is not None
            or (vertex.name, vertex.started_ns, vertex.cached, vertex.error)
            != (last.name, last.started_ns, last.cached, last.error)
        )

    def _absorb_member(self, member: Vertex) -> None:
        digest = member.digest
        known = self._members.get(digest)
        self._touched.setdefault(digest, known)
        self._places.setdefault(digest, len(self._places))
        self._members[digest] = member
        if known is None or known.inputs != member.inputs:
            self._inputs = None
            self.shape += 1
        self._uncached += (not member.cached) - (known is not None and not known.cached)

    def _refresh_group(self) -> bool:
        """Follow what a message told of members; whether anything about the group is new.

        Of the others nothing is new, so they are not looked at.
        """
        before = self.cached, self.error, self.hidden
        changed = False
        touched = [self._members[digest] for digest in sorted(self._touched, key=self._places.__getitem__)]
        self._touched.clear()
        had_error = bool(self.error)
        for member in touched:
            if (start := member.started_ns) is not None:
                if not self._spans.knows(start, member.completed_ns):
                    self._spans.put(start, member.completed_ns)
                    changed = True
                if member.progress_group is not None and not member.progress_group.weak:
                    self.hidden = False
            if not self.error and member.error:
                self.error = member.error
                # Whether the group is told of depends on what comes after, as in the reference.
                had_error = self._places[member.digest] < len(self._places) - 1
        if had_error:
            self.hidden = False
        self.cached = not self._uncached
        if self.hidden != before[2]:
            self.shape += 1
        return changed or before != (self.cached, self.error, self.hidden)


class Trace:
    """The fold.

    `log_budget` bounds the logs kept, in bytes. Once it is exceeded, logs of vertexes completed without
    an error go first, then the oldest pieces of the longest log; `Log.dropped_bytes` says how much went.
    None keeps all: for a display that takes pieces out of `VertexTrace.log` as it prints them.
    """

    def __init__(self, *, log_budget: int | None = LOG_BUDGET) -> None:
        self.vertexes: list[VertexTrace] = []
        """Those to be shown, in the order in which they started (a group: was revealed, which errors of
        its members can do before any has started)."""
        self.by_digest: dict[str, VertexTrace] = {}
        """Every vertex ever named; a group under its id and under each member's digest."""
        self.start_ns: int | None = None
        """When the first vertex started."""
        self._groups: dict[str, VertexTrace] = {}
        self._log_budget = log_budget
        self._log_cost = 0

    def update(self, status: SolveStatus) -> dict[VertexTrace, bool]:
        """Take in a message. Returns the vertexes it was about; False: only by a warning."""
        touched: dict[VertexTrace, bool] = {}
        if status.vertexes:
            self._update_vertexes(status.vertexes, touched)
        by_digest = self.by_digest
        # What is said of a vertex that nobody announced is dropped, as in the reference.
        for counter in status.statuses:
            if (vertex := by_digest.get(counter.vertex)) is not None:
                if counter.started_ns is not None or counter.id in vertex.statuses:
                    vertex.statuses[counter.id] = counter
                vertex.events += 1
                touched[vertex] = True
        for warning in status.warnings:
            if (vertex := by_digest.get(warning.vertex)) is not None:
                vertex.warnings.append(warning)
                vertex.events += 1
                touched.setdefault(vertex, False)
        cost = 0
        if isinstance(status.logs, UnreadLogs):
            for digest, unread in status.logs.by_vertex().items():
                if (vertex := by_digest.get(digest)) is not None:
                    vertex.log.extend(vertex._spans.last_start_ns, unread)
                    vertex.events += len(unread)
                    touched[vertex] = True
                    cost += unread.size_bytes + PIECE_OVERHEAD * len(unread)
        else:
            for digest, data, _, timestamp_ns in status.logs:
                if (vertex := by_digest.get(digest)) is not None:
                    start_ns = vertex._spans.last_start_ns
                    vertex.log.append(0 if start_ns is None else timestamp_ns - start_ns, data)
                    vertex.events += 1
                    touched[vertex] = True
                    cost += len(data) + PIECE_OVERHEAD
        if self._log_budget is not None:
            self._log_cost += cost
            if self._log_cost > self._log_budget:
                self._drop_logs(self._log_budget)
        return touched

    def counts(self) -> tuple[int, int]:
        """Completed vertexes and all that were announced.

        Each member of a visible group counts besides the group, as in the reference.
        """
        completed = total = 0
        for vertex in self.by_digest.values():  # makes nothing for the garbage collector to look at
            if not vertex.hidden:
                total += 1
                completed += vertex._spans.ended
        return completed, total

    def _update_vertexes(self, vertexes: tuple[Vertex, ...], touched: dict[VertexTrace, bool]) -> None:
        groups: dict[VertexTrace, None] = {}
        for vertex in vertexes:
            if self.start_ns is None:
                self.start_ns = vertex.started_ns
            known = self.by_digest.get(vertex.digest)
            if vertex.progress_group is not None:
                known = self.by_digest[vertex.digest] = self._group(vertex.progress_group)
            if known is not None and known.is_group:
                known._absorb_member(vertex)
                groups[known] = None
                continue
            if known is None:
                known = self.by_digest[vertex.digest] = VertexTrace(vertex.digest)
            was_started = known.started
            if known._absorb(vertex):
                known.events += 1
                touched[known] = True
            if known.started and not was_started:
                self.vertexes.append(known)
        for group in groups:
            was_hidden = group.hidden
            changed = group._refresh_group()
            if group.hidden:
                continue
            if was_hidden:
                self.vertexes.append(group)
            if changed:
                group.events += 1
                touched[group] = True

    def _group(self, group: ProgressGroup) -> VertexTrace:
        known = self._groups.get(group.id)
        if known is None:
            known = VertexTrace(group.id, group.name, is_group=True, hidden=True)
            self._groups[group.id] = self.by_digest[group.id] = known
        return known

    def _drop_logs(self, budget: int) -> None:
        """Regain a quarter of the budget, so that the next time is not soon."""
        goal = budget * 3 // 4
        vertexes = dict.fromkeys(self.by_digest.values())
        self._log_cost = sum(vertex.log.cost for vertex in vertexes)
        for vertex in sorted(vertexes, key=lambda v: (not v.completed or bool(v.error), -v.log.cost)):
            if self._log_cost <= goal:
                return
            self._log_cost -= vertex.log.drop_oldest(self._log_cost - goal)
