"""Measures where our client's time goes, and the floor below it: shares.json."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.pairs import Command, measure
from benchmarks.works import Work

SHARES = Path(__file__).with_name("shares.json")
SAMPLER = Path(__file__).with_name("sampler.py")
SAMPLED = ("a", "b")
_FLOOR_RUNS = 5


@dataclass(frozen=True, slots=True)
class Shares:
    """Seconds: CPU by part, and the wall time of what any client of these libraries must do at least.

    `stat_all` is find(1) asking for size and time of every file; `imports` is the interpreter with the
    client's libraries and nothing else.
    """

    parts: Mapping[str, float]
    stat_all: float
    imports: float


def measure_shares(bench: Bench, works: Sequence[Work]) -> dict[str, Shares]:
    """Sample our side of the works that are explained in docs/performance.md."""
    found = {}
    for work in works:
        if work.key not in SAMPLED:
            continue
        key = f"shares-{work.key}"
        with work.open(bench, key) as contest:
            measure(contest.ours)
            contest.before_run()
            output = bench.folder / "shares.json"
            arguments = contest.ours.argv[len(bench.ours.program) :]
            measure(replace(contest.ours, argv=(sys.executable, str(SAMPLER), str(output), *arguments)))
            context = bench.folder / key / f"context-{key}"
            found[work.key] = Shares(
                parts=json.loads(output.read_text()),
                stat_all=_wall(
                    replace(contest.ours, argv=("/usr/bin/find", str(context), "-printf", "%s %T@\n"))
                ),
                imports=_wall(bench.ours.python("import click, grpc.aio, google.protobuf.message")),
            )
    return found


def _wall(command: Command) -> float:
    return statistics.median(measure(command).wall for _ in range(_FLOOR_RUNS))


def load_shares(path: Path = SHARES) -> dict[str, Shares]:
    """What was measured last; nothing where the file is missing."""
    if not path.exists():
        return {}
    return {key: Shares(**entry) for key, entry in json.loads(path.read_text()).items()}


def save_shares(shares: Mapping[str, Shares], path: Path = SHARES) -> None:
    path.write_text(json.dumps({key: asdict(entry) for key, entry in shares.items()}, indent=1) + "\n")
