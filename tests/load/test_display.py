"""What it costs to follow a large build, against buildx, as `python -m benchmarks.display` measures it.

CPU time is compared rather than wall time, and the least that each took: what else the machine does adds to
both.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.display import IDLE, Clients, Cost, Script
from buildctl.progress.trace import LOG_BUDGET

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

_MEBIBYTE = 1 << 20
_PAIRS = 3


def in_turns(clients: Clients, progress: str, script: Script) -> tuple[list[Cost], list[Cost]]:
    """What buildctl and buildx take."""
    messages = list(script.messages())
    pairs = [
        (
            clients.cost("buildctl", progress, script, messages),
            clients.cost("buildx", progress, script, messages),
        )
        for _ in range(_PAIRS)
    ]
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]


def ratio(ours: list[Cost], theirs: list[Cost]) -> float:
    return min(cost.cpu_s for cost in ours) / min(cost.cpu_s for cost in theirs)


def peak_bytes(costs: list[Cost]) -> int:
    return max(cost.peak_bytes for cost in costs)


def test_a_terminal_that_shows_tails_takes_at_most_seven_tenths_of_the_cpu(tmp_path: Path) -> None:
    clients = Clients(tmp_path)
    ours, theirs = in_turns(clients, "tty", Script(vertexes=2000, lines=1_000_000))
    assert ratio(ours, theirs) <= 0.7
    # A tenth of the lines fits into what is kept for steps that fail; of ten times as many no more is kept.
    small = Script(vertexes=2000, lines=100_000)
    before = clients.cost("buildctl", "tty", small, list(small.messages()))
    assert peak_bytes(ours) <= before.peak_bytes + LOG_BUDGET + 16 * _MEBIBYTE
    assert peak_bytes(ours) < peak_bytes(theirs)


def test_a_pipe_that_gets_every_line_takes_at_most_half_more_cpu(tmp_path: Path) -> None:
    clients = Clients(tmp_path)
    ours, theirs = in_turns(clients, "plain", Script(vertexes=2000, lines=300_000))
    assert ratio(ours, theirs) <= 1.5
    # What has been printed is forgotten.
    small = Script(vertexes=2000, lines=100_000)
    before = clients.cost("buildctl", "plain", small, list(small.messages()))
    assert peak_bytes(ours) <= before.peak_bytes + 32 * _MEBIBYTE


def test_an_idle_build_takes_next_to_no_cpu(tmp_path: Path) -> None:
    idle = Script(vertexes=2000, lines=2000, idle_s=15)
    assert Clients(tmp_path).cost("buildctl", "tty", idle, list(idle.messages())).share(*IDLE) <= 0.05
