"""What holds of every graph: it survives being loaded, and is the same in every process."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildctl import llb
from tests.support.llb_graphs import build, random_program

_DIGEST_OF_MANY = """
import hashlib, random
from tests.support.llb_graphs import build, random_program
found = hashlib.sha256()
for seed in range(60):
    state, args = build(random_program(random.Random(seed), 20))
    found.update(state.marshal(**args).to_bytes())
print(found.hexdigest())
"""


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0), st.integers(1, 30))
def test_a_graph_that_is_loaded_marshals_to_the_same_bytes(seed: int, size: int) -> None:
    state, args = build(random_program(random.Random(seed), size))
    first = state.marshal(**args)
    data = first.to_bytes()
    loaded = llb.Definition.from_bytes(data)
    assert loaded == first
    assert loaded.to_bytes() == data
    again = loaded.state().marshal(platform="linux/s390x", local_unique_id="other")
    assert sorted(again.ops) == sorted(first.ops), "Go, too, may find another order"
    assert (again.digest, again.index) == (first.digest, first.index)
    assert again.state().marshal(platform="linux/386").ops == again.ops
    assert {digest: again.metadata[digest] for digest in first.metadata} == first.metadata


@settings(max_examples=50, deadline=None)
@given(st.integers(min_value=0))
def test_equal_programs_give_equal_definitions(seed: int) -> None:
    state, args = build(random_program(random.Random(seed), 15))
    other, _ = build(random_program(random.Random(seed), 15))
    assert state.marshal(**args) == other.marshal(**args) == state.marshal(**args)


def test_hashes_of_a_process_do_not_matter() -> None:
    found = set()
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", _DIGEST_OF_MANY],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(run.stdout)
    assert len(found) == 1


def chain(count: int) -> llb.State:
    state: llb.State = llb.image("busybox")
    for index in range(count):
        state = state.run(["step", str(index)])
    return state


def wide_merge(count: int) -> llb.State:
    return llb.merge(*(llb.local(str(index)) for index in range(count)))


def ladder(count: int) -> llb.State:
    """Each rung needs both sides of the one below, so that paths to the bottom double with each."""
    left, right = llb.image("l"), llb.image("r")
    for index in range(count // 2):
        left, right = left.copy(right, "/a", f"/l{index}"), right.copy(left, "/b", f"/r{index}")
    return llb.merge(left, right)


def deferred(count: int) -> llb.State:
    state: llb.State = llb.image("busybox")
    for index in range(count):
        state = state.env(f"V{index % 10}", str(index)).async_(lambda known: known.dir("d"))
    return state.run(["x"])


@pytest.mark.parametrize("graph", [chain, wide_merge, ladder, deferred])
def test_deep_graphs_need_no_deep_stack(graph: Callable[[int], llb.State]) -> None:
    count = 2000
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        definition = graph(count).marshal(platform="linux/amd64", local_unique_id="u")
        loaded = llb.Definition.from_bytes(definition.to_bytes()).state()
        assert loaded.marshal(platform="linux/amd64").ops == definition.ops
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("graph", [chain, wide_merge, ladder])
def test_a_hundred_thousand_ops_take_time_in_proportion(graph: Callable[[int], llb.State]) -> None:
    times = []
    for count in (20_000, 100_000):
        state = graph(count)
        started = time.process_time()
        definition = state.marshal(platform="linux/amd64", local_unique_id="u")
        times.append(time.process_time() - started)
        assert len(definition.ops) >= count
    assert times[1] < 5 * 3 * times[0]


def test_actions_are_many_and_deep() -> None:
    action = llb.mkdir("/d")
    for index in range(3000):
        action = action.mkfile(f"/d/{index}", 0o644, b"")
    for _ in range(1000):
        action = llb.mkdir("/e").copy(action.with_state(llb.scratch()), "/d", "/d")
    definition = llb.scratch().file(action).marshal(platform="linux/amd64")
    assert len(hashlib.sha256(definition.to_bytes()).hexdigest()) == 64
