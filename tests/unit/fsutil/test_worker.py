from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from buildctl.fsutil.worker import Worker, outlast


async def test_calls_run_in_order_off_the_event_loop() -> None:
    worker = Worker("test")
    seen: list[tuple[int, str]] = []

    def call(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        return number * 2

    assert await asyncio.gather(*(worker.run(call, number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert seen == [(number, "test") for number in range(5)]
    worker.close()


async def test_errors_come_back() -> None:
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        await worker.run(divmod, 1, 0)
    assert await worker.run(divmod, 3, 2) == (1, 1)
    worker.close()


async def test_what_nobody_waits_for_comes_before_what_follows() -> None:
    worker = Worker("test")
    release = threading.Event()
    seen: list[str] = []

    def slow() -> None:
        release.wait(5)
        seen.append("slow")

    waiting = asyncio.ensure_future(worker.run(slow))
    await asyncio.sleep(0)
    waiting.cancel()
    after = worker.run(seen.append, "after")
    release.set()
    await after
    assert seen == ["slow", "after"]
    worker.close()


async def test_closing_ends_the_thread_after_its_calls() -> None:
    worker = Worker("test-closing")
    last = worker.run(str, 1)
    worker.close()
    assert await last == "1"
    async with asyncio.timeout(5):
        while any(thread.name == "test-closing" for thread in threading.enumerate()):
            await asyncio.sleep(0.005)


async def test_cleaning_up_outlasts_further_cancellations() -> None:
    worker = Worker("test")
    release = threading.Event()
    cleaning = asyncio.create_task(outlast([worker.run(release.wait, 5), worker.run(str, 1)], 5))
    for _ in range(3):
        await asyncio.sleep(0)
        cleaning.cancel()
    await asyncio.sleep(0.02)
    assert not cleaning.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await cleaning
    worker.close()


async def test_cleaning_up_has_its_limit() -> None:
    began = asyncio.get_running_loop().time()
    await outlast([asyncio.get_running_loop().create_future()], 0.05)
    assert 0.04 < asyncio.get_running_loop().time() - began < 2
    await outlast([], 0.05)


def test_a_call_that_never_ends_does_not_keep_the_process() -> None:
    program = """
import asyncio, os
from buildctl.fsutil.worker import Worker
async def main():
    reading, writing = os.pipe()
    await asyncio.wait([Worker("stuck").run(os.read, reading, 1)], timeout=0.1)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
