"""The fold: what a trace knows after what a daemon said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildctl.model.status import ProgressGroup, SolveStatus
from buildctl.progress.clock import ClientClock
from buildctl.progress.intervals import Interval, merge_intervals, seconds
from buildctl.progress.log import PIECE_OVERHEAD, prefixed
from buildctl.progress.trace import Trace
from tests.support.statuses import any_statuses, counter, log, merged, ns, vertex, warning

WEAK = ProgressGroup("g", "group", weak=True)
STRONG = ProgressGroup("g", "group")


def fold(*statuses: SolveStatus, log_budget: int | None = 1 << 20) -> Trace:
    trace = Trace(log_budget=log_budget)
    for status in statuses:
        trace.update(status)
    return trace


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([(0, 1)], [(0, 1)], id="one"),
        pytest.param([(0, 1), (0, 1)], [(0, 1)], id="equal"),
        pytest.param([(5, 6), (0, 1)], [(0, 1), (5, 6)], id="gap"),
        pytest.param([(0, 9), (3, 4)], [(0, 9)], id="subsumed"),
        pytest.param([(0, 5), (3, 8)], [(0, 8)], id="partial"),
        pytest.param([(0, 5), (5, 8)], [(0, 8)], id="touching"),
        pytest.param([(0, 2), (5, None)], [(0, 2), (5, None)], id="open"),
        pytest.param([(0, 5), (3, None), (7, 9)], [(0, None)], id="open overlap"),
        pytest.param(
            [(20, None), (0, 2), (1, 4), (4, 5), (8, 12), (9, 10), (30, 31), (22, None)],
            [(0, 5), (8, 12), (20, None)],
            id="complex",
        ),
    ],
)
def test_intervals_merge(spans: list[tuple[int, int | None]], expected: list[tuple[int, int | None]]) -> None:
    assert merge_intervals(dict(spans)) == [Interval(*pair) for pair in expected]


def test_a_vertex_that_has_not_started_has_no_interval() -> None:
    trace = fold(vertex("a"))
    assert trace.by_digest["a"].intervals == []
    assert not trace.by_digest["a"].started
    assert trace.vertexes == []


def test_seconds_round_as_go_does() -> None:
    assert seconds(1_500_000_000) == 1.5
    assert seconds(-1_500_000_000) == -1.5
    assert seconds(9_105_000_001) == 9 + 105_000_001 / 1e9


def test_a_vertex_starts_again_after_a_cache_probe() -> None:
    trace = fold(vertex("a", 1, 1.5), vertex("a", 3))
    (a,) = trace.vertexes
    assert (a.started, a.completed) == (True, False)
    trace.update(vertex("a", 3, 5))
    assert (a.started, a.completed) == (True, True)
    assert a.duration_ns(0) == ns(2.5)
    assert trace.start_ns == ns(1)


def test_an_open_vertex_lasts_until_now() -> None:
    (a,) = fold(vertex("a", 1)).vertexes
    assert a.duration_ns(4_000_000_000) == ns(3)


def test_a_repeated_announcement_takes_nothing_back() -> None:
    (a,) = fold(vertex("a", 1, name="now", error="boom"), vertex("a", name="before")).vertexes
    assert (a.name, a.error, a.completed) == ("now", "boom", False)


def test_vertexes_are_listed_in_the_order_they_start_in() -> None:
    trace = fold(vertex("a"), vertex("b", 1), vertex("a", 2), vertex("b", 1, 3))
    assert [known.digest for known in trace.vertexes] == ["b", "a"]


def test_news_is_told_from_repetition() -> None:
    trace = Trace()
    assert trace.update(vertex("a")) == {}
    a = trace.by_digest["a"]
    assert trace.update(vertex("a", 1)) == {a: True}
    assert trace.update(vertex("a", 1)) == {}
    assert trace.update(vertex("a", 1, cached=True)) == {a: True}
    assert trace.update(vertex("a", 1, 2, cached=True)) == {a: True}
    assert trace.update(vertex("a", 1, 2, cached=True)) == {a: True}, "a completion is always news"
    assert trace.update(warning("a", b"careful")) == {a: False}
    assert trace.update(merged(warning("a", b"careful"), log("a", b"x"))) == {a: True}
    assert a.events == 7


def test_what_is_said_of_an_unknown_vertex_is_dropped() -> None:
    trace = fold(log("x", b"y"), counter("x", "id"), warning("x", b"z"))
    assert trace.vertexes == []
    assert trace.by_digest == {}


def test_counters_appear_when_they_start_and_keep_their_place() -> None:
    trace = fold(
        vertex("a", 0),
        counter("a", "never", started=None),
        counter("a", "one", 1),
        counter("a", "two", 2),
        counter("a", "one", 9, started=None, completed=4),
    )
    statuses = trace.vertexes[0].statuses
    assert list(statuses) == ["one", "two"]
    assert statuses["one"].current == 9


def test_errors_tell_failure_from_cancellation() -> None:
    trace = fold(
        vertex("a", 0, 1, error="exit code: 1"),
        vertex("b", 0, 1, error="x: context canceled"),
        vertex("c", 0),
    )
    assert [(known.failed, known.canceled) for known in trace.vertexes] == [
        (True, False),
        (False, True),
        (False, False),
    ]


# Groups


def test_a_group_stands_for_its_members() -> None:
    trace = fold(
        vertex("m1", 1, 2, cached=True, inputs=("base",), group=STRONG),
        vertex("m2", 3, inputs=("m1",), group=STRONG),
        merged(log("m1", b"one\n", at=4), counter("m2", "pull", 5), warning("m2", b"w")),
    )
    (group,) = trace.vertexes
    assert (group.digest, group.name, group.is_group) == ("g", "group", True)
    assert group.intervals == [Interval(1_000_000_000, 2_000_000_000), Interval(3_000_000_000, None)]
    assert not group.cached
    assert list(group.log.lines()) == [b"1.000 one"]
    assert list(group.statuses) == ["pull"]
    assert len(group.warnings) == 1
    assert group.inputs == ("base",)
    assert trace.by_digest["m1"] is trace.by_digest["g"] is group


def test_a_group_is_cached_if_all_its_members_are() -> None:
    trace = fold(vertex("m1", 1, 2, cached=True, group=STRONG))
    assert trace.vertexes[0].cached
    trace.update(vertex("m2", 1, 2, group=STRONG))
    assert not trace.vertexes[0].cached


def test_a_group_has_its_members_error() -> None:
    (group,) = fold(vertex("m1", 1, 2, group=STRONG), vertex("m2", 1, 2, error="boom", group=STRONG)).vertexes
    assert group.error == "boom"


def test_weak_members_keep_a_group_hidden() -> None:
    trace = fold(vertex("m1", 1, group=WEAK))
    assert trace.vertexes == []
    assert trace.by_digest["g"].hidden
    assert trace.counts() == (0, 0)
    touched = trace.update(vertex("m2", 2, group=STRONG))
    assert touched == {trace.by_digest["g"]: True}
    assert trace.vertexes == [trace.by_digest["g"]]


def test_a_strong_member_that_has_not_started_reveals_nothing() -> None:
    assert fold(vertex("m1", 1, group=WEAK), vertex("m2", group=STRONG)).vertexes == []


def test_a_second_error_reveals_a_group() -> None:
    trace = fold(vertex("m1", 1, 2, error="one", group=WEAK))
    assert trace.vertexes == []
    trace.update(vertex("m2", 1, 2, error="two", group=WEAK))
    assert [known.error for known in trace.vertexes] == ["one"]


def test_members_of_a_visible_group_count_besides_it() -> None:
    trace = fold(
        vertex("a", 0, 1), vertex("b"), vertex("m1", 0, 1, group=STRONG), vertex("m2", 0, 1, group=STRONG)
    )
    assert trace.counts() == (4, 5)


# Logs


def test_lines_carry_the_seconds_at_which_they_began() -> None:
    (a,) = fold(
        vertex("a", 10),
        log("a", b"one\ntwo", at=10.0914),
        log("a", b" more\nthree\n", at=22.3456),
        log("a", b"\nfour", at=210.25),
    ).vertexes
    assert list(a.log.lines()) == [b"0.091 one", b"0.091 two more", b"12.35 three", b"200.2 ", b"200.2 four"]
    assert a.log.open_line
    assert a.log.total_bytes == 24


@given(st.sampled_from([0, 9_999_000_000, 99_999_000_000, 3_600_000_000_000]), st.data())
def test_lines_of_the_same_moment_carry_the_seconds_of_each(base_ns: int, data: st.DataObject) -> None:
    apart = st.integers(-3, 3).map(lambda half: half * 500_000) | st.integers(-2_000_000, 2_000_000)
    offsets = [base_ns + at for at in data.draw(st.lists(apart, min_size=1, max_size=20))]
    alone = [prefixed([(at, b"x\n")], b"", resumed=False) for at in offsets]
    assert prefixed([(at, b"x\n") for at in offsets], b"", resumed=False) == b"".join(alone)


def test_seconds_count_from_the_latest_interval() -> None:
    (a,) = fold(vertex("a", 0, 1), vertex("a", 5), log("a", b"x\n", at=7)).vertexes
    assert list(a.log.lines()) == [b"2.000 x"]


def test_logs_before_the_start_are_at_zero() -> None:
    trace = fold(vertex("a"), log("a", b"x", at=7))
    assert list(trace.by_digest["a"].log.lines()) == [b"0.000 x"]


def test_the_tail_is_raw() -> None:
    (a,) = fold(vertex("a", 0), log("a", b"\x1b[1mone\n"), log("a", b"two\r"), log("a", b"\xff")).vertexes
    assert a.log.tail(100) == b"\x1b[1mone\ntwo\r\xff"
    assert a.log.tail(3) == b"o\r\xff"


def test_a_budget_drops_logs_of_what_went_well_first() -> None:
    data = b"0123456789abcde\n"
    piece = len(data) + PIECE_OVERHEAD
    trace = Trace(log_budget=12 * piece)
    for digest in ("well", "bad", "running"):
        trace.update(vertex(digest, 0))
        for _ in range(4):
            trace.update(log(digest, data))
    trace.update(merged(vertex("well", 0, 1), vertex("bad", 0, 1, error="boom")))
    trace.update(log("running", data))
    kept = {known.digest: len(known.log.pieces) for known in trace.vertexes}
    assert kept == {"well": 0, "bad": 4, "running": 5}
    assert trace.by_digest["well"].log.dropped_bytes == 4 * len(data)
    for _ in range(100):
        trace.update(log("running", data))
    kept = {known.digest: len(known.log.pieces) for known in trace.vertexes}
    assert kept["bad"] == 4, "the longest log loses its beginning"
    assert sum(kept.values()) <= 12


def test_a_log_without_its_beginning_does_not_invent_one() -> None:
    trace = fold(vertex("a", 0), log("a", b"begin"), log("a", b" end\nnext\n"))
    a_log = trace.vertexes[0].log
    a_log.drop_oldest(1)
    assert list(a_log.lines()) == [b" end", b"0.000 next"]


def test_taken_pieces_are_forgotten() -> None:
    trace = fold(vertex("a", 0), log("a", b"part"), log_budget=None)
    a_log = trace.vertexes[0].log
    assert a_log.take() == [(0, b"part")]
    assert a_log.open_line
    trace.update(log("a", b"rest\n"))
    assert a_log.resumed
    assert list(a_log.lines()) == [b"rest"]


# Time


def test_the_clients_clock_starts_with_the_build() -> None:
    clock = ClientClock(began_ns=1_000_000_000_000)
    assert clock.adjust(vertex("a")) == vertex("a")
    counted = counter("a", "c", at=52, started=50)
    adjusted = clock.adjust(merged(vertex("a", 50), vertex("b", 51, 53), counted))
    a, b = adjusted.vertexes
    assert (a.started_ns, b.started_ns, b.completed_ns) == (ns(999), ns(1000), ns(1002)), "by the last start"
    assert (adjusted.statuses[0].timestamp_ns, adjusted.statuses[0].started_ns) == (ns(1001), ns(999))
    later = clock.adjust(merged(vertex("c", 61), log("c", b"x", at=62), warning("c", b"w")))
    assert later.vertexes[0].started_ns == ns(1010)
    assert later.logs[0].timestamp_ns == ns(1011)
    assert later.warnings[0].short == b"w"


# Anything


@settings(max_examples=60, deadline=None)
@given(any_statuses)
def test_anything_can_be_folded(statuses: list[SolveStatus]) -> None:
    trace = Trace(log_budget=300)
    for status in statuses:
        trace.update(status)
        done, total = trace.counts()
        assert 0 <= done <= total
        for known in trace.by_digest.values():
            assert known.log.cost == sum(len(data) + PIECE_OVERHEAD for _, data in known.log.pieces)
        assert len(set(trace.vertexes)) == len(trace.vertexes)
        for known in trace.vertexes:
            assert known.started or (known.is_group and known.error)
            assert not known.hidden
            list(known.log.lines())
            known.log.tail(10)
            known.duration_ns(0)
