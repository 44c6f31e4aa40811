"""Logs that the daemon has clipped: it says so within them, and a setting of it prevents it.

Source: util/progress/logs/logs.go of BuildKit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from buildctl.model.status import UnreadLogs, VertexLog

_LAST = b" reached]\n"
_NOTE = rb"\n\[output clipped, log limit ([0-9.]{1,12}[A-Za-z]{1,3}(/s)?) reached\]\n\Z"
_LIMITS = 100
"""Steps that are remembered."""

SIZE, SPEED = "BUILDKIT_STEP_LOG_MAX_SIZE", "BUILDKIT_STEP_LOG_MAX_SPEED"
"""Variables of the daemon's environment: bytes of a log, and bytes of it a second; -1 is no limit."""


class Clippings:
    """What was clipped in one build: by setting, the limit and the steps, by their digests."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._steps)

    def update(self, logs: Sequence[VertexLog]) -> None:
        """Look for notes of the daemon."""
        for log in _ending(logs):
            if found := re.search(_NOTE, log.data):
                steps = self._steps.setdefault(SPEED if found[2] else SIZE, {})
                if len(steps) < _LIMITS:
                    steps.setdefault(log.vertex, found[1].decode())

    def __iter__(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for setting, steps in self._steps.items():
            yield setting, next(iter(steps.values())), tuple(steps)


def _ending(logs: Sequence[VertexLog]) -> Iterable[VertexLog]:
    if isinstance(logs, UnreadLogs):
        return logs.ending(_LAST)
    return (log for log in logs if log.data.endswith(_LAST))
