"""The pace of a replay: the recorded times, faster or slower, and what the display is told of the time."""

from __future__ import annotations

import pytest

from buildctl.model.status import SolveStatus
from buildctl.progress.pace import LONGEST_PAUSE_S, OnClock, Pace
from buildctl.progress.plain import PlainPrinter
from tests.support import replay
from tests.support.statuses import counter, log, vertex


class Clock:
    """Seconds that pass when the pace says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def due(pace: Pace, clock: Clock, *statuses: SolveStatus) -> list[float]:
    """Seconds after the beginning at which each message is shown."""
    began = clock.now
    shown = []
    for status in statuses:
        clock.now += pace.wait_s(status)
        shown.append(round(clock.now - began, 6))
    return shown


@pytest.mark.parametrize(
    ("speed", "times"), [(1, [0, 2, 2, 5]), (10, [0, 0.2, 0.2, 0.5]), (0.1, [0, 20, 20, 50])]
)
def test_messages_are_as_far_apart_as_they_were(speed: float, times: list[float]) -> None:
    messages = vertex("a", 100), log("a", b"x", 102), counter("a", "c", at=101), vertex("a", 100, 105)
    clock = Clock()
    assert due(Pace(clock, speed), clock, *messages) == times


def test_as_fast_as_possible() -> None:
    clock = Clock()
    pace = Pace(clock, None)
    assert due(pace, clock, vertex("a", 100), log("a", b"x", 500)) == [0, 0]
    assert pace.now_ns() == 500 * 10**9


def test_time_that_showing_took_is_made_up_for() -> None:
    clock = Clock()
    pace = Pace(clock, 1)
    assert pace.wait_s(vertex("a", 100)) == 0
    clock.now += 3
    assert pace.wait_s(log("a", b"x", 102)) == 0
    assert pace.wait_s(log("a", b"x", 104)) == pytest.approx(1)


def test_the_display_s_time_goes_on_between_messages() -> None:
    clock = Clock()
    pace = Pace(clock, 10)
    assert pace.now_ns() == 0
    pace.wait_s(vertex("a", 100))
    clock.now += 0.5
    assert pace.now_ns() == 105 * 10**9


def test_messages_without_time_and_years_of_silence() -> None:
    clock = Clock()
    pace = Pace(clock, 1)
    assert due(pace, clock, vertex("a"), vertex("a", 1), vertex("b"), vertex("b", 10**8)) == [
        0,
        0,
        0,
        LONGEST_PAUSE_S,
    ]


def test_a_renderer_sees_the_time_of_the_build() -> None:
    """Printed at the build's own pace, whatever the pump's clock: the recorded bytes."""
    case = replay.load("build-parallel")
    now = 0

    def build_s_clock() -> int:
        return now

    renderer = OnClock(PlainPrinter(), build_s_clock)
    printer = PlainPrinter()
    told, expected = bytearray(), bytearray()
    for now, status in case.statuses():
        told += renderer.absorb(status, 7) + renderer.render(7)
        expected += printer.absorb(status, now) + printer.render(now)
    assert told + renderer.finish(7) == expected + printer.finish(now)
    assert (renderer.replaces, renderer.restore) == (printer.replaces, printer.restore)
