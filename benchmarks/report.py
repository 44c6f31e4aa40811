"""Writes what was measured as a table for readers: results.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.pairs import Figure, Sample, figure
from benchmarks.results import Measured
from benchmarks.shares import Shares
from benchmarks.slowlink import MEASURED
from benchmarks.works import Work

REPORT = Path(__file__).with_name("results.md")

ENOUGH_PAIRS = 7
"""From which on medians are taken for figures."""

_HEAD = """\
# Results

Written by `make bench` from `results.json`; see [docs/performance.md](../docs/performance.md) for what is
measured and how. Each entry is the median of our runs, that of the peer's, and **the ratio**: the median of
the ratios within the pairs, with the least and the greatest. A target is the greatest ratio that is aimed at.

The peer is Debian 13's docker-buildx with driver `remote`. Both clients use the same relay socket in front of
the same engine, ours as `unix://`; only `a-docker` uses the engine's own socket, as `docker://`.
"""


def report(works: Sequence[Work], results: Mapping[str, Measured], shares: Mapping[str, Shares]) -> str:
    """The whole page, of the works that have been measured."""
    rows = [(work, results[work.key]) for work in works if work.key in results]
    parts = [_HEAD, *_conditions(measured for _, measured in rows)]
    parts.append(_table(_times(work, measured) for work, measured in rows))
    many = [_per_file(work, results) for work in works if work.key in results and work.files]
    parts += ["## Per file\n", _table(many)] if many else []
    links = [_link(work, measured) for work, measured in rows if work.payload]
    parts += ["## How full the slow link was\n", _table(links)] if links else []
    for work in works:
        if work.key in shares:
            parts.append(_where(work, shares[work.key], results.get(work.key)))
    return "\n".join(parts)


def _where(work: Work, shares: Shares, measured: Measured | None) -> str:
    """Where our time goes in one work, greatest first, with the daemon's part and the floor."""
    total = sum(shares.parts.values())
    parts = sorted(shares.parts.items(), key=lambda part: -part[1])
    rows = [
        {"our client's CPU": name, "s": f"{seconds:.2f}", "%": f"{100 * seconds / total:.0f}"}
        for name, seconds in parts
        if seconds >= 0.005
    ]
    said = [f"## Where our time goes: {work.title} ({work.key})\n", _table(rows)]
    if measured is not None:
        wall = statistics.median(pair.ours.wall for pair in measured.pairs)
        daemon = statistics.median(pair.ours.daemon_cpu or 0.0 for pair in measured.pairs)
        said.append(f"The daemon's CPU meanwhile: {daemon:.2f} s, of {wall:.2f} s of wall time.\n")
    said.append(
        f"The floor: `find` asks for size and time of every file in {shares.stat_all:.2f} s; the interpreter "
        f"with the client's libraries starts and ends in {shares.imports:.2f} s.\n"
    )
    return "\n".join(said)


def _conditions(measured: Iterable[Measured]) -> list[str]:
    """Under which conditions; several machines or versions are listed one after the other."""
    distinct: dict[tuple[tuple[str, str], ...], list[Measured]] = {}
    for one in measured:
        distinct.setdefault(tuple(one.conditions.items()), []).append(one)
    parts = []
    for found, ones in distinct.items():
        dates = sorted({one.date for one in ones})
        lines = [f"- {name}: {value}" for name, value in found]
        lines.append(f"- date: {dates[0]}" + (f" to {dates[-1]}" if len(dates) > 1 else ""))
        loads = [one.load for one in ones]
        lines.append(f"- load average as works began: {min(loads):.1f} to {max(loads):.1f}")
        lines.append(f"- pairs: {_range(len(one.pairs) for one in ones)}; data and files on tmpfs")
        parts.append("\n".join(lines) + "\n")
        if min(len(one.pairs) for one in ones) < ENOUGH_PAIRS:
            parts.append(
                f"With fewer than {ENOUGH_PAIRS} pairs a row shows that it can be measured, no more.\n"
            )
    return parts


def _range(counts: Iterable[int]) -> str:
    least, *_, greatest = (*sorted(numbers := list(counts)), max(numbers))
    return str(least) if least == greatest else f"{least} to {greatest}, as the table says"


def _times(work: Work, measured: Measured) -> dict[str, str]:
    def of(quantity: str) -> Figure | None:
        ours = [getattr(pair.ours, quantity) for pair in measured.pairs]
        peer = [getattr(pair.peer, quantity) for pair in measured.pairs]
        return None if None in ours or None in peer else figure(ours, peer)

    peak = of("peak")
    limit = work.targets.peak
    received = measured.pairs[0].ours.received
    return {
        "": work.key,
        "work": work.title if work.against == "docker-buildx" else f"{work.title}, against {work.against}",
        "pairs": str(len(measured.pairs)) + _hung(measured),
        "wall, s": _seconds(of("wall"), work.targets.wall),
        "client CPU, s": _seconds(of("cpu"), work.targets.cpu),
        "peak memory, MB": _figure(peak, 1e6, 0)
        + (
            f", target ours ≤ {limit / 1e6:.0f}{_missed(peak is not None and peak.ours > limit)}"
            if limit
            else ""
        ),
        "daemon's CPU, s": _seconds(of("daemon_cpu"), None),
        "context received, MB": "" if received is None else f"{received / 1e6:.2f}",
    }


def _seconds(found: Figure | None, target: float | None) -> str:
    if target is None or found is None:
        return _figure(found, 1, 2)
    return f"{_figure(found, 1, 2)}, target ≤ {target}{_missed(found.ratio > target)}"


def _figure(found: Figure | None, unit: float, digits: int) -> str:
    if found is None:
        return ""
    ours, peer = found.ours / unit, found.peer / unit
    ratios = f"**{found.ratio:.2f}** ({found.least:.2f}–{found.greatest:.2f})"  # noqa: RUF001 - a range
    return f"{ours:.{digits}f} / {peer:.{digits}f} = {ratios}"


def _hung(measured: Measured) -> str:
    """How often a run was started over, because it did not end."""
    counts = (("ours", measured.hung_ours), ("peer", measured.hung_peer))
    return "".join(f"; {side} hung {times}×" for side, times in counts if times)  # noqa: RUF001 - a count


def _missed(missed: bool) -> str:
    return ": missed" if missed else ""


def _per_file(work: Work, results: Mapping[str, Measured]) -> dict[str, str]:
    def microseconds(quantity: str) -> str:
        pairs = results[work.key].pairs
        found = figure(
            [getattr(pair.ours, quantity) for pair in pairs], [getattr(pair.peer, quantity) for pair in pairs]
        )
        return _figure(
            Figure(
                found.ours / work.files, found.peer / work.files, found.ratio, found.least, found.greatest
            ),
            1e-6,
            1,
        )

    return {
        "": work.key,
        "work": work.title,
        "wall, µs a file": microseconds("wall"),
        "client CPU, µs a file": microseconds("cpu"),
    }


def _link(work: Work, measured: Measured) -> dict[str, str]:
    def share(samples: Iterable[Sample]) -> list[float]:
        return [work.payload / sample.wall / MEASURED.rate for sample in samples]

    full = figure(share(pair.ours for pair in measured.pairs), share(pair.peer for pair in measured.pairs))
    return {"": work.key, "work": work.title, "share of the link's rate, %": _figure(full, 0.01, 1)}


def _table(rows: Iterable[Mapping[str, str]]) -> str:
    listed = list(rows)
    if not listed:
        return ""
    lines = [list(listed[0]), ["---"] * len(listed[0]), *(list(row.values()) for row in listed)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
