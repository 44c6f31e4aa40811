"""Keeps what was measured, run by run, so that works can be measured one at a time: results.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.pairs import Pair, Pairs, Sample

RESULTS = Path(__file__).with_name("results.json")
_LIBRARIES = ("click", "grpcio", "hpack", "protobuf", "rich")


@dataclass(frozen=True, slots=True)
class Measured:
    """The pairs of one work, and under which conditions they were measured.

    `hung_ours` and `hung_peer` count runs that did not end and are in no pair; `load` is the machine's load
    average (1 minute) as the work began.
    """

    pairs: tuple[Pair, ...]
    hung_ours: int
    hung_peer: int
    date: str
    load: float
    conditions: Mapping[str, str]


def conditions(*, engine: str, peer: str) -> dict[str, str]:
    """What a figure depends on besides the code: machine and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB of memory",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "daemon": f"Docker Engine {engine}",
        "peer": f"docker-buildx {peer}",
    }


def measured_now(found: Pairs, load: float, where: Mapping[str, str]) -> Measured:
    """What was found, with today's date."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return Measured(found.pairs, found.hung_ours, found.hung_peer, today, load, where)


def load_results(path: Path = RESULTS) -> dict[str, Measured]:
    """What has been measured so far, by work; nothing where the file is missing."""
    if not path.exists():
        return {}
    return {
        key: Measured(
            tuple(Pair(Sample(**pair["ours"]), Sample(**pair["peer"])) for pair in entry["pairs"]),
            entry["hung_ours"],
            entry["hung_peer"],
            entry["date"],
            entry["load"],
            entry["conditions"],
        )
        for key, entry in json.loads(path.read_text()).items()
    }


def save_results(results: Mapping[str, Measured], path: Path = RESULTS) -> None:
    """Write all of them; the file is replaced whole."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({key: asdict(entry) for key, entry in results.items()}, indent=1) + "\n")
    temporary.replace(path)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
