"""The critical path: three graphs worked out by hand, then what no sane daemon sends."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from buildctl.progress.criticalpath import Task, covered_ns, critical_path
from buildctl.progress.intervals import Interval


def task(key: str, start: int, end: int, *inputs: str, duration: int | None = None) -> Task[str]:
    return Task(key, start, end, end - start if duration is None else duration, inputs)


def path(*tasks: Task[str]) -> str:
    return " ".join(critical_path(tasks))


def test_a_diamond() -> None:
    """By hand: base-quick-end weighs 2+1+3 = 6, base-slow-end 2+5+3 = 10."""
    assert (
        path(
            task("base", 0, 2),
            task("quick", 2, 3, "base"),
            task("slow", 2, 7, "base"),
            task("end", 7, 10, "quick", "slow"),
        )
        == "base slow end"
    )


def test_two_roots_and_a_queue() -> None:
    """A daemon that runs two steps at a time: `late` waits for room, which is no dependency.

    By hand: a-b-out weighs 4+4+2 = 10, c-late-out 1+3+2 = 6, c-d-out 1+6+2 = 9. The last to end before
    `out` is `late`, at 11; the heaviest chain goes through `b`, which ended at 8.
    """
    assert (
        path(
            task("a", 0, 4),
            task("c", 0, 1),
            task("b", 4, 8, "a"),
            task("d", 1, 7, "c"),
            task("late", 8, 11, "c"),
            task("out", 11, 13, "b", "d", "late"),
        )
        == "a b out"
    )


def test_a_dockerfile_with_steps_outside_of_the_graph() -> None:
    """Loading and exporting have no inputs: time alone says what they held up.

    By hand: `load` 1 and `metadata` 3 come before everything that begins at 4 or later; `auth` lies within
    `metadata`. Then from+copy+run weigh 0+1+6 = 7 and context+copy+run 2+1+6 = 9, with `export` 2. So
    load 1 + metadata 3 + context 2 + copy 1 + run 6 + export 2 = 15 of the 15 seconds there are.
    """
    assert (
        path(
            task("load", 0, 1),
            task("metadata", 1, 4),
            task("auth", 2, 3),
            task("from", 4, 4),
            task("context", 4, 6),
            task("copy", 6, 7, "from", "context"),
            task("run", 7, 13, "copy"),
            task("export", 13, 15),
        )
        == "load metadata context copy run export"
    )


def test_time_at_work_counts_not_the_time_between() -> None:
    """`probed` was started by a cache probe at 0 and did its work, 2, at the end; `steady` worked for 5."""
    assert path(
        task("probed", 0, 9, duration=2), task("steady", 1, 6), task("end", 9, 10, "probed", "steady")
    ) == ("steady end")


def test_of_equal_chains_the_one_that_ends_later() -> None:
    assert path(task("a", 0, 2), task("b", 1, 3), task("end", 3, 4, "a", "b")) == "b end"


def test_nothing_ran() -> None:
    assert critical_path([]) == []


def test_cycles_end() -> None:
    assert path(task("a", 0, 1, "b"), task("b", 1, 3, "a")) == "a b"
    assert path(task("a", 0, 1, "a")) == "a"
    assert (
        path(task("a", 0, 1, "c"), task("b", 1, 2, "a"), task("c", 2, 3, "b"), task("d", 3, 9, "c"))
        == "a b c d"
    )


def test_inputs_that_are_unknown_or_named_twice() -> None:
    assert path(task("a", 0, 1), task("b", 1, 2, "a", "a", "gone")) == "a b"


def test_inputs_that_ran_after_what_needs_them() -> None:
    """A clock that was set back is no reason to lose a dependency of the graph."""
    assert path(task("input", 50, 55), task("output", 10, 12, "input")) == "input output"


def test_twenty_thousand_in_a_row_and_as_many_abreast() -> None:
    began = time.process_time()
    row = [Task(n, n, n + 1, 1, (n - 1,)) for n in range(20_000)]
    assert critical_path(row) == list(range(20_000))
    abreast = [Task(n, n % 7, 7 + n % 5, 1 + n % 3) for n in range(20_000)]
    assert len(critical_path(abreast)) == 1
    assert time.process_time() - began < 10


_tasks = st.lists(
    st.tuples(
        st.integers(-100, 100),
        st.integers(-100, 100),
        st.integers(-5, 50),
        st.lists(st.integers(0, 12), max_size=4),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=50)
@given(_tasks)
def test_any_graph_has_a_path_without_repetition(rows: list[tuple[int, int, int, list[int]]]) -> None:
    tasks = [
        Task(key, start, end, duration, tuple(inputs))
        for key, (start, end, duration, inputs) in enumerate(rows)
    ]
    found = critical_path(tasks)
    assert len(set(found)) == len(found)
    assert bool(found) == bool(tasks)
    # No chain is lighter than its heaviest member alone.
    weights = {one.key: max(one.duration_ns, 0) for one in tasks}
    assert sum(weights[key] for key in found) >= max(weights.values(), default=0)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_no_chain_of_the_graph_is_heavier(data: st.DataObject) -> None:
    """Against every chain there is, in graphs without cycles in which all steps are connected."""
    count = data.draw(st.integers(1, 7))
    tasks = [
        Task(
            key,
            key,
            key + 1,
            data.draw(st.integers(0, 9)),
            tuple(data.draw(st.sets(st.integers(0, key - 1), min_size=1))) if key else (),
        )
        for key in range(count)
    ]

    def heaviest(key: int) -> int:
        return tasks[key].duration_ns + max((heaviest(one) for one in tasks[key].inputs), default=0)

    found = critical_path(tasks)
    assert sum(tasks[key].duration_ns for key in found) == max(heaviest(key) for key in range(count))
    assert all(before in tasks[after].inputs for before, after in pairwise(found))


def test_what_intervals_cover() -> None:
    spans = [Interval(0, 4), Interval(3, 6), Interval(8, 9), Interval(8, 12), Interval(20, 30)]
    assert covered_ns(spans, 2, 11) == 7
    assert covered_ns([], 0, 5) == 0
