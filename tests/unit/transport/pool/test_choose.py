"""Projects stay where they are, builds are spread, and platforms count more than either."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from buildctl.transport.pool.choose import FEW, Candidate, rank

NAMES = st.lists(st.text("abc:/123", min_size=1, max_size=6), min_size=2, max_size=12, unique=True)


def first(names: list[str], key: str) -> str:
    return rank([Candidate(name) for name in names], key)[0].name


@given(NAMES, st.text(min_size=1), st.data())
def test_only_what_a_daemon_had_moves_when_it_leaves(names: list[str], key: str, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(names))
    before = first(names, key)
    after = first([name for name in names if name != gone], key)
    assert after == before or before == gone


@given(NAMES, st.text(min_size=1), st.randoms())
def test_the_order_in_which_members_are_found_does_not_matter(
    names: list[str], key: str, random: Random
) -> None:
    mixed = random.sample(names, len(names))
    assert first(names, key) == first(mixed, key)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=10), st.text())
def test_all_are_ranked_and_those_that_rest_come_last(found: list[tuple[int, bool]], key: str) -> None:
    candidates = [Candidate(f"d{n}", load, rests=rests) for n, (load, rests) in enumerate(found)]
    ranked = rank(candidates, key, pick=lambda count: count - 1)
    resting = {one.name for one in candidates if one.rests}
    assert {one.name for one in ranked} == {one.name for one in candidates}
    assert {one.name for one in ranked[len(candidates) - len(resting) :]} == resting


def test_projects_are_spread_evenly() -> None:
    names = [f"tcp://{n}:1" for n in range(5)]
    counts = Counter(first(names, f"project {n}") for n in range(5000))
    assert all(850 < count < 1150 for count in counts.values())


def test_no_daemon_has_more_than_its_share() -> None:
    loads = dict.fromkeys((f"d{n}" for n in range(4)), 0)
    for _ in range(100):
        taken = rank([Candidate(name, load) for name, load in loads.items()], "one project")[0]
        loads[taken.name] += 1
    assert max(loads.values()) <= 2.0 * 100 / 4 + 1
    assert sorted(loads.values())[-2] > 0


def test_a_few_builds_never_move() -> None:
    names = ["a", "b", "c", "d"]
    best = first(names, "p")
    busy = rank([Candidate(name, (FEW - 1) * (name == best)) for name in names], "p")
    assert busy[0].name == best
    moved = rank([Candidate(name, FEW * (name == best)) for name in names], "p")
    assert moved[0].name != best
    assert f"{best} has {FEW} running" in moved[0].why


def test_platforms() -> None:
    arm, both, intel = "linux/arm64", ("linux/amd64", "linux/arm64"), ("linux/amd64",)
    candidates = [Candidate("arm", 40, (arm,)), Candidate("both", 0, both), Candidate("intel", 0, intel)]
    order = [one.name for one in rank(candidates, "p", wanted=[arm])]
    assert order == ["arm", "both", "intel"]
    assert "natively" in rank(candidates, "p", wanted=[arm])[0].why


def test_without_a_project_the_less_busy_of_two_is_taken() -> None:
    candidates = [Candidate("a", 9), Candidate("b", 1), Candidate("c", 5)]
    draws = iter((0, 1))  # a, then c of what is left
    assert rank(candidates, "", pick=lambda _: next(draws))[0].name == "c"
