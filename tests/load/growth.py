"""Does what a process holds grow with what it does? Samples of this process, and a slope through them."""

from __future__ import annotations

import gc
import os
import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

WARM_UP = 0.25
"""The part of a run whose samples do not count: pools fill, modules load, the allocator finds its size."""
_MOST_POINTS = 120


class Sample(NamedTuple):
    """What this process held after so many builds."""

    builds: int
    memory_bytes: int
    """Resident."""
    descriptors: int
    threads: int
    temporary_files: int
    """Files and folders below the one that everything is made in."""


LIMITS: Mapping[str, float] = {"descriptors": 0.5, "threads": 0.5, "temporary_files": 0.5}
"""What each may grow by in a whole run: a leak of one in a run of some builds shows; memory has its own."""


def take_sample(builds: int, folder: Path) -> Sample:
    """What is held now, garbage left out."""
    gc.collect()
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Sample(
        builds,
        resident_pages * os.sysconf("SC_PAGE_SIZE"),
        len(os.listdir("/proc/self/fd")) - 1,  # the listing's own
        len(os.listdir("/proc/self/task")),  # grpc's threads too, which Python does not know
        sum(1 for _ in folder.rglob("*")),
    )


def growth(samples: Sequence[Sample], what: str) -> float:
    """By how much a field of the samples grew from the end of the warm-up to the end of the run.

    The median of the slopes between all pairs of samples (Theil and Sen), so that a peak is not a trend,
    times the builds between them. Raises `ValueError` for fewer than four samples.
    """
    counted = _thinned(samples[int(len(samples) * WARM_UP) :])
    if len(counted) < 3:
        raise ValueError(f"{len(samples)} samples are too few for a slope")
    slopes = [
        (getattr(late, what) - getattr(early, what)) / (late.builds - early.builds)
        for early, late in combinations(counted, 2)
        if late.builds > early.builds
    ]
    slope: float = statistics.median(slopes)
    return slope * (counted[-1].builds - counted[0].builds)


def grown(samples: Sequence[Sample], *, memory_bytes: float) -> dict[str, float]:
    """The fields that grew by more than they may, with how much; memory may by `memory_bytes`."""
    limits = {**LIMITS, "memory_bytes": memory_bytes}
    found = {what: growth(samples, what) for what in limits}
    return {what: by for what, by in found.items() if by > limits[what]}


def _thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """At most so many, evenly: the pairs grow with the square."""
    step = -(-len(samples) // _MOST_POINTS) or 1
    return samples[::step]
