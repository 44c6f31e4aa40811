"""The measure of growth: what is a leak, and what is noise."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.load.growth import Sample, grown, growth, take_sample
from tests.load.record import record


def samples(
    memory: Callable[[int], float] = lambda _: 50e6, descriptors: Callable[[int], int] = lambda _: 20
) -> list[Sample]:
    return [Sample(n * 10, int(memory(n)), descriptors(n), 8, 3) for n in range(180)]


def test_what_stays_has_not_grown() -> None:
    noise = random.Random(1)
    assert grown(samples(lambda _: 50e6 + noise.gauss(0, 1e6)), memory_bytes=4e6) == {}


def test_a_warm_up_and_a_peak_are_no_growth() -> None:
    steady = samples(lambda n: 20e6 + min(n, 40) * 1e6 + (80e6 if 100 < n < 110 else 0))
    assert grown(steady, memory_bytes=1e6) == {}


def test_a_slow_leak_shows_through_the_noise() -> None:
    noise = random.Random(2)
    leaking = samples(lambda n: 50e6 + n * 10 * 4096 + noise.gauss(0, 1e6))  # a page a build
    found = grown(leaking, memory_bytes=4e6)
    assert found.keys() == {"memory_bytes"}
    assert found["memory_bytes"] == pytest.approx(135 * 10 * 4096, rel=0.2)


def test_one_descriptor_in_a_hundred_builds_shows() -> None:
    assert grown(samples(descriptors=lambda n: 20 + n // 10), memory_bytes=1).keys() == {"descriptors"}


def test_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        growth(samples()[:2], "threads")


def test_a_sample_sees_what_this_process_holds(tmp_path: Path) -> None:
    before = take_sample(1, tmp_path)
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    with (tmp_path / "left").open("w"):
        after = take_sample(2, tmp_path)
    end.set()
    thread.join()
    assert [now - then for then, now in zip(before, after, strict=True)][2:] == [1, 1, 1]
    assert after.memory_bytes > 10e6


def test_a_result_replaces_the_one_before_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- begin x -->\n<!-- end x -->\nb\n<!-- begin y -->\nkept\n<!-- end y -->\n")
    record("x", "one\n", page)
    record("x", "two\n", page)
    assert page.read_text() == (
        "a\n<!-- begin x -->\ntwo\n<!-- end x -->\nb\n<!-- begin y -->\nkept\n<!-- end y -->\n"
    )
    with pytest.raises(ValueError, match="no marks for z"):
        record("z", "", page)
