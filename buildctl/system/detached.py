"""Calls that may block for as long as others like, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def detached(call: Callable[[], T]) -> T:
    """What the call returns or raises. Whoever is cancelled meanwhile leaves the call to itself.

    `asyncio.to_thread` would have the interpreter wait at exit: for a name server, or for a pipe that nobody
    opens.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():  # nobody waits any more
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def work() -> None:
        try:
            outcome, failure = call(), None
        except BaseException as error:
            outcome, failure = None, error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, outcome, failure)

    threading.Thread(target=work, name="detached", daemon=True).start()
    return await result
