"""Builds at once over several connections: no more than each can carry, none more than is needed."""

from __future__ import annotations

import contextlib
from collections import Counter

import grpc.aio

from buildctl.client.lanes import BUILDS_PER_CONNECTION, Lanes
from buildctl.client.rpc import Caller


def a_caller() -> Caller:
    return Caller(grpc.aio.insecure_channel("unix:/nowhere"))


async def test_a_hundred_builds_at_once() -> None:
    lanes = Lanes(a_caller(), a_caller)
    with contextlib.ExitStack() as stack:
        taken = Counter(id(stack.enter_context(lanes.take())) for _ in range(100))
    assert list(taken.values()) == [BUILDS_PER_CONNECTION] * (100 // BUILDS_PER_CONNECTION)


async def test_builds_in_a_row_need_one_connection() -> None:
    first = a_caller()
    lanes = Lanes(first, a_caller)
    for _ in range(3 * BUILDS_PER_CONNECTION):
        with lanes.take() as caller:
            assert caller is first


async def test_a_place_is_free_again_after_a_failure() -> None:
    first, opened = a_caller(), []

    def open_another() -> Caller:
        opened.append(a_caller())
        return opened[-1]

    lanes = Lanes(first, open_another)
    for _ in range(2):
        with contextlib.suppress(ZeroDivisionError), contextlib.ExitStack() as stack:
            for _ in range(BUILDS_PER_CONNECTION + 1):
                stack.enter_context(lanes.take())
            raise ZeroDivisionError
    assert len(opened) == 1


async def test_where_none_can_be_opened_all_share_the_first() -> None:
    first = a_caller()
    lanes = Lanes(first)
    with contextlib.ExitStack() as stack:
        assert {stack.enter_context(lanes.take()) for _ in range(100)} == {first}
