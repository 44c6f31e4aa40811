"""Draws how cost grows with the number of files: docs/performance.svg."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.clients import PROJECT
from benchmarks.pairs import Sample
from benchmarks.results import Measured
from benchmarks.works import AGAIN, FIRST, Work

PLOT = PROJECT / "docs" / "performance.svg"
_QUANTITIES = (("wall", "wall, s", 1.0), ("cpu", "client CPU, s", 1.0), ("peak", "peak memory, MB", 1e6))
_COLOURS = {"ours": "tab:blue", "docker-buildx": "tab:orange"}
_STYLES = {FIRST: "-", AGAIN: "--"}


def curves(
    works: Sequence[Work], results: Mapping[str, Measured]
) -> dict[tuple[str, str], list[tuple[int, Sample]]]:
    """By client and kind of work: numbers of files, in order, and the median costs."""
    found: dict[tuple[str, str], list[tuple[int, Sample]]] = {}
    for work in sorted(works, key=lambda work: work.files):
        kind = work.curve
        if kind and work.key in results:
            pairs = results[work.key].pairs
            found.setdefault(("ours", kind), []).append((work.files, _median([pair.ours for pair in pairs])))
            found.setdefault(("docker-buildx", kind), []).append(
                (work.files, _median([pair.peer for pair in pairs]))
            )
    return found


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(sample.wall for sample in samples),
        statistics.median(sample.cpu for sample in samples),
        round(statistics.median(sample.peak for sample in samples)),
    )


def draw(works: Sequence[Work], results: Mapping[str, Measured], path: Path = PLOT) -> None:
    """Write the plot as SVG, or nothing when nothing of it has been measured."""
    from matplotlib import rc_context  # takes a second, and nothing else needs it
    from matplotlib.figure import Figure

    found = curves(works, results)
    if not found:
        return
    picture = Figure(figsize=(12, 4), layout="constrained")
    for axis, (quantity, label, unit) in zip(picture.subplots(1, 3), _QUANTITIES, strict=True):
        for (client, kind), points in found.items():
            axis.plot(
                [files for files, _ in points],
                [getattr(sample, quantity) / unit for _, sample in points],
                color=_COLOURS[client],
                linestyle=_STYLES[kind],
                marker="o",
                markersize=3,
                label=f"{client}, {kind}",
            )
        axis.set(xscale="log", yscale="log", xlabel="files", title=label)
        axis.minorticks_off()
        axis.grid(visible=True, which="major", alpha=0.3)
    picture.axes[0].legend(fontsize="small")
    # Text stays text, and the same picture has the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "performance"}):
        picture.savefig(path, format="svg", metadata={"Date": None})
