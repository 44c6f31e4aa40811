"""Runs two commands in alternating pairs, and says of each run what it cost.

Runs that follow each other share the machine's mood, so what is compared is the ratio within a pair; which of
the two goes first changes from pair to pair.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

METER = Path(__file__).with_name("meter.py")
LIMIT_SECONDS = 900
"""After which a command is taken to hang. The longest of the works takes a third of it."""
HUNG_AT_MOST = 3
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_SAME_WORK = 0.02
"""By how much what the two send may differ: packets are cut differently."""


class FailedRunError(Exception):
    """A command that is to be measured did not do its work."""


class HungRunError(FailedRunError):
    """A command that is to be measured did not end."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run; `output` gets its standard output and standard error."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    output: Path


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run cost, in seconds and bytes.

    `daemon_cpu` and `received`, the bytes of the context that the daemon says it received, are None where
    there is no daemon to ask.
    """

    wall: float
    cpu: float
    peak: int
    daemon_cpu: float | None = None
    received: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs that followed each other."""

    ours: Sample
    peer: Sample


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs, and how often a run of either side did not end; pairs with such a run are left out."""

    pairs: tuple[Pair, ...]
    hung_ours: int = 0
    hung_peer: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians of both sides, and the median, least and greatest of the ratios within the pairs."""

    ours: float
    peer: float
    ratio: float
    least: float
    greatest: float


@dataclass(slots=True)
class Contest:
    """Two commands that do the same work, and what has to be done around each run of either."""

    ours: Command
    peer: Command
    before_pair: Callable[[], None] = field(default=lambda: None)
    before_run: Callable[[], None] = field(default=lambda: None)
    daemon_cpu: Callable[[], float] | None = None
    """Waits until the daemon is idle and returns its CPU time so far, in seconds."""
    limit: int = LIMIT_SECONDS
    """Seconds after which a run is taken to hang."""
    hung_at_most: int = HUNG_AT_MOST
    """With how many such runs the work is given up."""


def measure(command: Command, limit: int = LIMIT_SECONDS) -> Sample:
    """Run it once.

    Raises `FailedRunError` with the end of its output when its exit code is not 0, and `HungRunError` when it
    has not ended after `limit` seconds.
    """
    order = {
        "argv": command.argv,
        "env": dict(command.env),
        "cwd": str(command.cwd),
        "stdout": str(command.output),
        "limit": limit,
    }
    ran = subprocess.run(
        [sys.executable, "-I", "-S", METER],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(ran.stdout)
    said = command.output.read_text(errors="replace")[-2000:]
    if result["hung"]:
        raise HungRunError(f"{' '.join(command.argv)} did not end within {limit} s:\n{said}")
    if result["status"] != 0:
        raise FailedRunError(f"{' '.join(command.argv)} ended with {result['status']}:\n{said}")
    return Sample(result["wall"], result["cpu"], result["peak"])


def warm_up(contest: Contest) -> None:
    """Run each side once, unmeasured, so that both start from the same caches.

    A run that hangs is let pass: it hung in the transfer, and by then the daemon has done the build's steps.
    """
    for command in (contest.ours, contest.peer):
        with suppress(HungRunError):
            measure(command, contest.limit)


def run_pairs(contest: Contest, count: int, *, on_pair: Callable[[Pair], None] = lambda pair: None) -> Pairs:
    """Run `count` pairs; every second one starts with the peer. A pair with a run that hangs is run again,
    and both sides once before it.

    Raises `FailedRunError` when a run fails, too many hang, or the daemon says that the two sent different
    amounts.
    """
    pairs: list[Pair] = []
    hung = {"ours": 0, "peer": 0}
    while len(pairs) < count:
        contest.before_pair()
        samples: dict[str, Sample] = {}
        for side in ("peer", "ours") if len(pairs) % 2 else ("ours", "peer"):
            try:
                samples[side] = _run(contest, contest.ours if side == "ours" else contest.peer)
            except HungRunError:
                hung[side] += 1
                if sum(hung.values()) == contest.hung_at_most:
                    raise
                warm_up(contest)  # the daemon forgets the context of a client that is killed
                break
        else:
            pair = Pair(**samples)
            if not _close(pair.ours.received, pair.peer.received):
                amounts = f"{pair.ours.received} bytes from ours, {pair.peer.received} from the peer"
                raise FailedRunError(f"the daemon received {amounts}")
            on_pair(pair)
            pairs.append(pair)
    return Pairs(tuple(pairs), **{f"hung_{side}": times for side, times in hung.items()})


def _run(contest: Contest, command: Command) -> Sample:
    contest.before_run()
    if contest.daemon_cpu is None:
        return measure(command, contest.limit)
    before = contest.daemon_cpu()
    sample = measure(command, contest.limit)
    said = command.output.read_text(errors="replace")
    return replace(sample, daemon_cpu=contest.daemon_cpu() - before, received=received_bytes(said))


def received_bytes(said: str) -> float | None:
    """How much of a context the daemon received, by a build's plain progress; None if that is not said."""
    amounts = [
        float(number) * _UNITS[unit]
        for number, unit in re.findall(r" transferring context: ([0-9.]+)(B|kB|MB|GB)\b", said)
    ]
    return max(amounts, default=None)


def _close(ours: float | None, peer: float | None) -> bool:
    if ours is None or peer is None:
        return ours is peer
    return abs(ours - peer) <= _SAME_WORK * max(ours, peer)


def figure(ours: Sequence[float], peer: Sequence[float]) -> Figure:
    """The statistics of runs `ours[i]` and `peer[i]`, which followed each other; neither may be empty."""
    ratios = [one / other if other else float("nan") for one, other in zip(ours, peer, strict=True)]
    return Figure(
        statistics.median(ours), statistics.median(peer), statistics.median(ratios), min(ratios), max(ratios)
    )
