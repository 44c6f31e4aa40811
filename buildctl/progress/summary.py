"""A few lines on where the time of a build went, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from buildctl.model.bytesize import format_bytes
from buildctl.model.transfer import Transfer, format_transfer
from buildctl.progress.line import Measure, cut
from buildctl.progress.row import format_elapsed, plural
from buildctl.progress.survey import State
from buildctl.progress.timings import StepTiming, Timings
from buildctl.progress.visible import visible

_SECOND_NS = 1_000_000_000
_TOLD_NS = 100_000_000
"""What is shorter would read `0.0s`."""
_NAME_LIMIT = 300  # characters of a name
_TRANSFERS = 3
_CLIPPED = 3  # steps that are named


def worth_telling(timings: Timings) -> bool:
    """Whether there is anything to learn: some step that was not cached took a second."""
    return any(step.duration_ns >= _SECOND_NS and step.state is not State.CACHED for step in timings.steps)


def summary(
    timings: Timings,
    transfers: Sequence[Transfer] = (),
    *,
    clipped: Iterable[tuple[str, str, tuple[str, ...]]] = (),
    slowest: int = 3,
    width: int | None = None,
    measure: Measure = len,
    ascii_only: bool = False,
    brief: bool = False,
) -> list[str]:
    """At most 5 lines and the `slowest` steps, each cut to `width` cells where that is given.

    They tell, as far as there is anything to tell of each, the totals, the slowest steps with their share of
    the wall time, the critical path and what it explains, and the transfers of local directories that moved
    most; `brief`, the totals alone.
    """
    details = [
        *_slowest(timings, slowest),
        *_critical(timings),
        *_transfers(transfers),
        *_clipped(timings, clipped),
    ]
    lines = [_totals(timings), *([] if brief else details)]
    shown = (visible(line, ascii_only=ascii_only) for line in lines)
    ellipsis = "..." if ascii_only else "…"
    return [line if width is None else cut(line, width, measure, ellipsis) for line in shown]


def _totals(timings: Timings) -> str:
    counts = timings.counts
    parts = [format_elapsed(timings.wall_ns), plural(len(timings.steps), "step")]
    for state, word in (
        (State.CACHED, "cached"),
        (State.FAILED, "failed"),
        (State.CANCELED, "canceled"),
        (State.QUEUED, "not run"),
    ):
        if counts[state]:
            parts.append(f"{counts[state]} {word}")
    if timings.size_bytes:
        parts.append(f"{format_bytes(timings.size_bytes)} transferred")
    return "Where the time went: " + ", ".join(parts)


def _slowest(timings: Timings, count: int) -> Iterator[str]:
    told = (step for step in timings.steps if step.duration_ns >= _TOLD_NS)
    ran = sorted(told, key=lambda step: -step.duration_ns)
    for step in ran[:count]:
        share = step.duration_ns / timings.wall_ns if timings.wall_ns else 0.0
        yield f"{format_elapsed(step.duration_ns):>8} {share:>4.0%}  {_name(step)}"


def _critical(timings: Timings) -> Iterator[str]:
    """The path's share, and the steps of it that took longest, in its order."""
    ran = [step for step in timings.critical if step.duration_ns > 0]
    longest = sorted(ran, key=lambda step: -step.duration_ns)[:4]
    kept = {step for step in longest if step.duration_ns >= _TOLD_NS}
    if not kept:
        return
    steps = ", ".join(f"{_short(step)} {format_elapsed(step.duration_ns)}" for step in ran if step in kept)
    more = f" and {len(ran) - len(kept)} more" if len(ran) > len(kept) else ""
    took = format_elapsed(timings.explained_ns)
    yield f"Critical path: {took}, {timings.explained:.0%} of the time: {steps}{more}"


def _transfers(transfers: Sequence[Transfer]) -> Iterator[str]:
    """A line for each local name of which anything was sent: a build asks for one several times, first for
    its ignore file."""
    together: dict[str, Transfer] = {}
    for one in transfers:
        before = together.get(one.name)
        together[one.name] = one if before is None else _added(before, one)
    told = (one for one in together.values() if one.files_sent or not one.complete)
    for transfer in sorted(told, key=lambda one: -one.bytes_sent)[:_TRANSFERS]:
        yield "Sent " + format_transfer(transfer)


def _added(one: Transfer, other: Transfer) -> Transfer:
    return one._replace(
        files_walked=max(one.files_walked, other.files_walked),  # the same files
        files_requested=one.files_requested + other.files_requested,
        files_sent=one.files_sent + other.files_sent,
        bytes_sent=one.bytes_sent + other.bytes_sent,
        bytes_moved=one.bytes_moved + other.bytes_moved,
        took=one.took + other.took,
        complete=one.complete and other.complete,
    )


def _clipped(timings: Timings, clipped: Iterable[tuple[str, str, tuple[str, ...]]]) -> Iterator[str]:
    for setting, limit, digests in clipped:
        names = [_short(step) for step in timings.steps if step.vertex.digest in digests]
        of = f" of {', '.join(names[:_CLIPPED])}" if names else ""
        more = f" and {len(names) - _CLIPPED} more" if len(names) > _CLIPPED else ""
        what = f"Logs{of}{more} were clipped by the daemon at {limit}"
        yield f"{what}: start it with {setting}=-1 for all of them"


def _name(step: StepTiming) -> str:
    name = step.name
    return f"{name.stage} {name.label}".strip()[:_NAME_LIMIT]


def _short(step: StepTiming) -> str:
    """Enough to find the step: its place in its stage, or the first words of its name."""
    name = step.name
    if name.number:
        return f"{name.stage} {' '.join(name.label.split()[:2])}"[:40]
    return " ".join(name.label.split()[:4])[:40]
