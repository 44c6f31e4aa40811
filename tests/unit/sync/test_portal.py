"""Calls that wait for the loop of another thread: results, errors, functions, Ctrl-C, forks and the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest

from buildctl.sync import portal
from buildctl.sync.portal import Waiting, call, entered, iterate
from tests.support.program import ROOT

_NEVER = bool(os.environ.get("NEVER"))


async def answer(value: int = 42) -> int:
    await asyncio.sleep(0)
    return value


def test_it_returns_and_raises_what_the_coroutine_does() -> None:
    async def fails() -> None:
        raise LookupError("nope")

    assert call(answer()) == 42
    with pytest.raises(LookupError, match="nope"):
        call(fails())


def test_functions_run_in_the_thread_that_waits_and_before_the_call_returns() -> None:
    waiting, seen = Waiting(), list[tuple[int, threading.Thread]]()

    async def tells(tell: Callable[[int], None]) -> int:
        for number in range(100):
            tell(number)
        assert threading.current_thread() is not threading.main_thread()
        return len(seen)

    call(tells(waiting.posted(lambda number: seen.append((number, threading.current_thread())))), waiting)
    assert seen == [(number, threading.current_thread()) for number in range(100)]


def test_what_a_function_raises_ends_the_call() -> None:
    waiting, ended = Waiting(), threading.Event()

    async def tells(tell: Callable[[], None]) -> None:
        try:
            tell()
            await asyncio.sleep(60)
        finally:
            ended.set()

    def fails() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        call(tells(waiting.posted(fails)), waiting)
    assert ended.is_set()


def test_ctrl_c_cancels_and_waits_for_the_end() -> None:
    steps: list[str] = []

    async def long() -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)  # the farewell to the daemon
            steps.append("ended")

    with pytest.raises(KeyboardInterrupt):
        call(long())
    assert steps == ["ended"]
    assert call(answer()) == 42


async def test_it_refuses_a_thread_with_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match=r"await the methods of buildctl\.Client"):
        call(answer())
    with pytest.raises(RuntimeError, match="would stop the event loop"), entered(manager([])):
        pass


def test_many_threads_at_once() -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda n=n: found.append(call(answer(n)))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(found) == list(range(20))


def test_a_generator_that_is_left_early_is_closed() -> None:
    closed: list[bool] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            closed.append(True)

    assert list(iterate(numbers())) == list(range(10))
    some = iterate(numbers())
    assert next(some) == 0
    some.close()  # type: ignore[attr-defined]  # a generator is what comes of it
    assert closed == [True, True]


@contextlib.asynccontextmanager
async def manager(log: list[object]) -> AsyncIterator[str]:
    async with asyncio.timeout(30):  # which wants to be left by the task that entered it
        try:
            yield "value"
        except BaseException as error:
            log.append(type(error))
            raise
        finally:
            await asyncio.sleep(0)
            log.append("left")


def test_a_context_is_entered_and_left_by_one_task() -> None:
    log: list[object] = []
    with entered(manager(log)) as value:
        assert (value, log) == ("value", [])
    assert log == ["left"]
    error = LookupError("the same one")
    with pytest.raises(LookupError) as raised, entered(manager(log)):
        raise error
    assert raised.value is error
    with pytest.raises(KeyboardInterrupt), entered(manager(log)):
        raise KeyboardInterrupt
    assert log == ["left", LookupError, "left", asyncio.CancelledError, "left"]


def test_a_context_that_cannot_be_entered() -> None:
    @contextlib.asynccontextmanager
    async def fails() -> AsyncIterator[None]:
        if not _NEVER:
            raise OSError("shut")
        yield

    with pytest.raises(OSError, match="shut"), entered(fails()):
        pytest.fail("not entered")


def test_a_call_costs_less_than_five_milliseconds() -> None:
    """The promise of the facade; it takes a hundredth of that."""
    call(answer())
    began = time.perf_counter()
    for _ in range(200):
        call(answer())
    assert (time.perf_counter() - began) / 200 < 0.005


def test_a_child_process_has_a_loop_of_its_own_and_exits_end_it() -> None:
    script = """
import os, threading
from tests.unit.sync.test_portal import answer, call
assert call(answer()) == 42
if (child := os.fork()) == 0:
    assert call(answer(7)) == 7
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print([thread.name for thread in threading.enumerate()])
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "['MainThread', 'buildctl.sync']\n"


def test_what_nobody_waits_for_ends_with_the_process() -> None:
    script = """
import asyncio
from buildctl.sync import portal
async def endless():
    try:
        await asyncio.sleep(600)
    finally:
        print("ended", flush=True)
asyncio.run_coroutine_threadsafe(endless(), portal._loop())
portal.call(asyncio.sleep(0.01))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_the_thread_is_one() -> None:
    call(answer())
    call(answer())
    assert [one.name for one in threading.enumerate()].count("buildctl.sync") == 1
    assert portal._background is not None
