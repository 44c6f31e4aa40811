"""`--debug-json-cache-metrics`: how much of a build came from the cache. Source: buildctl/cachemetrics.go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildctl.model import gojson

if TYPE_CHECKING:
    from buildctl.model.status import SolveStatus

_FROM = re.compile(r"\[.*\] FROM")
_NOT_THE_USERS = ("[internal]", "[auth]", "importing cache", "exporting ")


@dataclass
class _Step:
    name: str
    """As it was first called."""
    cached: bool = False
    completed: bool = False
    is_from: bool = False

    @property
    def is_users(self) -> bool:
        return not self.name.startswith(_NOT_THE_USERS)


class CacheMetrics:
    """Counts the steps of a build; `update` is a status sink."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    def update(self, status: SolveStatus) -> None:
        """Note what a message says of the steps."""
        for vertex in status.vertexes:
            step = self._steps.setdefault(vertex.digest, _Step(vertex.name))
            step.is_from |= _FROM.match(vertex.name) is not None
            step.cached |= vertex.cached
            step.completed |= vertex.completed_ns is not None

    def report(self, duration_ms: int) -> bytes:
        """A line for each step that was not cached, then the counts as a line of JSON."""
        steps = self._steps.values()
        users = [step for step in steps if step.is_users]
        missed = [step for step in users if not step.cached and not step.is_from]
        froms = sum(step.is_from for step in users)
        counts = {
            "total": len(steps),
            "completed": sum(step.completed for step in steps),
            "user_total": len(users),
            "user_cached": sum(step.cached for step in users),
            "user_completed": sum(step.completed for step in users),
            "user_cacheable": len(users) - froms,
            "from": froms,
            "miss": len(missed),
            "client_duration_ms": duration_ms,
        }
        lines = "".join(f"cache miss: {step.name}\n" for step in missed)
        return lines.encode(errors="surrogateescape") + gojson.encode(counts) + b"\n"
