"""One thread for work that may block, such as the files of one transfer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Runs calls in the order they come, off the event loop.

    concurrent.futures would do but for one thing: the interpreter waits for its threads at exit. A write to a
    pipe that nobody reads, or to a server that is gone, must not keep a cancelled command alive.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        Thread(target=self._work, name=name, daemon=True).start()

    def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """The result of a call that comes after all earlier ones, whoever still waits for those."""
        result: asyncio.Future[T] = self._loop.create_future()

        def settle(value: T | None, error: BaseException | None) -> None:
            if result.done():  # nobody waits any more
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]

        def work() -> None:
            try:
                outcome, failure = call(*args, **kwargs), None
            except BaseException as error:
                outcome, failure = None, error
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(settle, outcome, failure)

        self._calls.put(work)
        return result

    def close(self) -> None:
        """Let the thread end after the calls it has."""
        self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            work()


async def outlast(endings: Iterable[asyncio.Future[Any]], seconds: float) -> None:
    """Wait for what has to end first, so long at most, even if whoever waits is cancelled again meanwhile.

    Otherwise a second Ctrl-C would end the process in the middle of what it removes because of the first.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    pending = set(endings)
    cancelled: asyncio.CancelledError | None = None
    while pending and (left := deadline - loop.time()) > 0:
        try:
            _, pending = await asyncio.wait(pending, timeout=left)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
