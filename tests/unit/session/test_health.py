"""What the health checks say of the daemon: whether it may have given this client up, or has for certain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import pytest

from buildctl.session import health
from buildctl.session.health import Health

CHECK = "/grpc.health.v1.Health/Check"
ASKS_AGAIN_S = 0.1


class Clock:
    """The real one, which can be put forward as a pause of this process does."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Request:
    """A `ServerStream` of one health check."""

    metadata = ()

    async def receive_messages(self) -> list[bytes]:
        return [b""]

    async def send_messages(self, messages: Iterable[bytes]) -> None:
        assert list(messages) == [b"\x08\x01"]

    def narrow(self) -> None:
        raise AssertionError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(health, "now", clock)
    monkeypatch.setattr(health, "_ASKS_AGAIN_SECONDS", ASKS_AGAIN_S)
    return clock


async def check(one: Health) -> None:
    await one.methods[CHECK](Request())


async def test_regular_checks_leave_no_doubt(clock: Clock) -> None:
    one = Health()
    for _ in range(8):
        clock.ahead += 5  # less than is a pause beyond the beat
        await check(one)
        assert not one.in_doubt
    assert not await one.is_given_up()


@pytest.mark.parametrize("waiting", [0, 1])
async def test_silence_after_a_long_pause_is_the_end(clock: Clock, waiting: int) -> None:
    """As of BuildKit 0.8, whose last check had waited for the end of the pause."""
    one = Health()
    await check(one)
    clock.ahead += 20
    for _ in range(waiting):
        await check(one)
    assert one.in_doubt
    began = time.monotonic()
    assert await one.is_given_up()
    assert time.monotonic() - began < 10 * ASKS_AGAIN_S + 2
    age = "0.1" if waiting else "20.1"
    assert one.account().startswith(f"the last health check came {age} s ago and was answered; ")
    assert one.account().endswith("; this process did not run for 19 s until 0.1 s ago")


async def test_a_daemon_that_goes_on_asking_after_a_pause_has_not_given_up(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_ASKS_AGAIN_SECONDS", 60.0)
    one = Health()
    clock.ahead += 20
    await check(one)
    verdict = asyncio.create_task(one.is_given_up())
    await asyncio.sleep(0.01)
    assert not verdict.done()
    await check(one)
    assert not await asyncio.wait_for(verdict, 5)
    assert not one.in_doubt


async def test_a_short_pause_is_no_more_than_doubtful(clock: Clock) -> None:
    one = Health()
    clock.ahead += 8
    assert one.in_doubt
    assert not await one.is_given_up()


async def test_a_daemon_that_goes_away_has_given_up(clock: Clock) -> None:
    one = Health()
    one.note_going_away()
    assert one.in_doubt
    assert await one.is_given_up()
