"""CPU time is given to the part that used it."""

from __future__ import annotations

import sys
import threading
import time
from types import FunctionType

from benchmarks.sampler import PARTS, Sampler, part_of


def _spin(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def _in_module(name: str) -> FunctionType:
    """The same code as if it were in another module."""
    return FunctionType(_spin.__code__, {**globals(), "__name__": name})


def test_each_thread_s_cpu_goes_to_the_module_it_runs_in() -> None:
    sampler = Sampler()
    sampler.start()
    other = threading.Thread(target=_in_module("buildctl.fsutil.walk"), args=(0.2,))
    other.start()
    _in_module("buildctl.http2.frames")(0.1)
    other.join()
    sampler.stop()
    walking = sampler.seconds[PARTS["buildctl.fsutil"]]
    tunnel = sampler.seconds[PARTS["buildctl.http2"]]
    assert 0.15 < walking < 0.25
    assert tunnel > 0.05  # what it does before it is first looked at is nobody's
    assert sampler.own_seconds < 0.2


def test_the_innermost_module_that_is_known_counts() -> None:
    inner = FunctionType(_frame_part.__code__, {**globals(), "__name__": "json.decoder"})
    outer = FunctionType(_call.__code__, {**globals(), "__name__": "buildctl.progress.plain"})
    assert outer(inner) == PARTS["buildctl.progress"]


def _frame_part() -> str:
    return part_of(sys._getframe())


def _call(inner: FunctionType) -> str:
    return str(inner())


def test_code_of_no_part_is_named_so() -> None:
    assert part_of(None) == PARTS["buildctl"]
