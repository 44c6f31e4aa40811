"""What a daemon says of a build is kept up to a limit, at a cost in proportion; what is left out is told."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.model.status import ProgressGroup, SolveStatus, SourceInfo, Vertex, VertexWarning
from buildctl.progress.budget import TEXT_LIMIT, Budget, _size
from buildctl.progress.display import Display
from buildctl.progress.intervals import Interval, Spans, merge_intervals
from buildctl.progress.plain import PlainPrinter
from buildctl.progress.trace import Trace
from buildctl.progress.writer import StreamWriter
from tests.support.statuses import any_statuses, counter, vertex, warning

SMALL = 20_000


def test_an_ordinary_build_passes_untouched() -> None:
    budget = Budget()
    for status in (vertex("a", 1), counter("a", "pull", 3), warning("a", b"w"), vertex("a", 1, 2)):
        assert budget.admit(status) is status
    assert budget.notice == ""


@given(st.lists(st.sampled_from("abcdefgh")), any_statuses)
def test_whatever_comes_an_account_is_never_overdrawn(names: list[str], statuses: list[SolveStatus]) -> None:
    budget = Budget(SMALL)
    for status in [*map(vertex, names), *statuses]:
        budget.admit(status)
        assert budget._left >= 0


@pytest.mark.parametrize(
    ("what", "flood"),
    [
        ("steps", lambda n: vertex(f"new {n}", 1)),
        ("counters", lambda n: counter("a", f"layer {n}")),
        ("warnings", lambda n: warning("a", b"%d" % n)),
        ("restarts", lambda n: vertex("a", n)),
        ("changes of steps", lambda n: vertex("a", 1, name="longer" * 10 * n)),
    ],
)
def test_what_is_beyond_the_budget_is_left_out_and_told(what: str, flood: object) -> None:
    budget = Budget(SMALL)
    budget.admit(vertex("a", 1))
    for number in range(1000):
        budget.admit(flood(number))  # type: ignore[operator]
    assert budget.left_out[what] > 500
    assert what in budget.notice
    ended = budget.admit(vertex("a", 1, 5, error="exit code: 1")).vertexes[0]
    assert (ended.completed_ns, ended.error) == (5_000_000_000, "exit code: 1"), "how it ended is told"


def test_a_name_has_an_end() -> None:
    (named,) = Budget().admit(vertex("a", 1, name="x" * 10 * TEXT_LIMIT)).vertexes
    assert len(named.name) == TEXT_LIMIT


def test_a_field_that_nobody_knows_yet_has_its_price() -> None:
    class Later(NamedTuple):
        digest: str
        notes: tuple[tuple[str, bytes], ...]

    assert _size(Later("a", (("x", bytes(100_000)),))) > 100_000


def test_the_file_that_warnings_are_about_is_kept_once() -> None:
    budget = Budget()
    budget.admit(vertex("a", 1))
    for number in range(500):
        source = SourceInfo("Dockerfile", b"FROM scratch\n" * 20_000)
        budget.admit(SolveStatus(warnings=(VertexWarning("a", b"%d" % number, source_info=source),)))
    assert not budget.left_out


async def test_a_display_says_once_what_was_left_out(caplog: pytest.LogCaptureFixture) -> None:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    seen: list[SolveStatus] = []
    with caplog.at_level(logging.WARNING):
        async with Display(
            PlainPrinter(), StreamWriter(descriptor), began_ns=0, also=[seen.append], budget=Budget(SMALL)
        ) as display:
            for number in range(1000):
                display.update(vertex(f"{number}", 1))
    os.close(descriptor)
    assert sum(len(status.vertexes) for status in seen) < 20, "nor do recordings get it"
    assert len(caplog.records) == 1
    assert "steps" in caplog.text


# Spans

_some_spans = st.lists(
    st.tuples(st.integers(0, 12), st.none() | st.integers(0, 14)).map(
        lambda pair: (pair[0], None if pair[1] is None else max(pair[0], pair[1]))
    )
)


@given(_some_spans)
def test_spans_are_the_union_of_all_that_came(spans: list[tuple[int, int | None]]) -> None:
    kept, stops = Spans(), dict[int, int | None]()
    for start, stop in spans:
        kept.put(start, stop)
        stops[start] = stop
        merged = merge_intervals(stops)
        assert list(kept.merged) == merged
        assert kept.last == (merged[-1] if merged else None)
        assert kept.ended == (bool(merged) and merged[-1].stop_ns is not None)


def test_beyond_some_hundred_spans_an_end_only_moves_later() -> None:
    kept = Spans()
    for start in range(0, 20_000, 2):
        kept.put(start, start + 1)
    kept.put(0, 0)
    assert kept.merged[0] == Interval(0, 1)


# Cost

GROUP = ProgressGroup("g", "group")


def restarts(count: int) -> Iterator[SolveStatus]:
    return (vertex("a", number, number + 0.5) for number in range(count))


def members(count: int) -> Iterator[SolveStatus]:
    return (vertex(f"{n}", n, n + 0.5, group=GROUP, inputs=(f"{n - 1}",)) for n in range(count))


def at_once(count: int) -> Iterator[SolveStatus]:
    """Members that all run at a time, and end in the order in which they began."""
    yield SolveStatus(tuple(Vertex(f"{n}", started_ns=n, progress_group=GROUP) for n in range(count)))
    for n in range(count):
        yield SolveStatus((Vertex(f"{n}", started_ns=n, completed_ns=count + n, progress_group=GROUP),))


@pytest.mark.parametrize("flood", [restarts, members, at_once])
def test_a_message_costs_the_same_however_many_came_before(flood: object) -> None:
    def seconds(count: int) -> float:
        messages = list(flood(count))  # type: ignore[operator]
        trace = Trace()
        began = time.process_time()
        for message in messages:
            trace.update(message)
        return time.process_time() - began

    few = max(min(seconds(500) for _ in range(3)), 0.002)
    assert min(seconds(5000) for _ in range(2)) < 30 * few, (
        "a hundred times as much if it grew with the square"
    )
