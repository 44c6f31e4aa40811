"""The one event loop behind calls that do not await: a thread of its own, used by all threads of a process.

While a thread waits for its call, the functions it gave (`on_status` and the like) run in it, so that they
may touch what is the thread's own. Ctrl-C there cancels the call, and with it the build on the daemon.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

_CANCEL_SECONDS = 2.0
"""How long a call that is given up may take to end: a cancelled build waits a second for the daemon."""
_EXIT_SECONDS = 2.0
_END: Any = object()


class Waiting:
    """Who waits for calls that belong together, such as those of one open build: mostly one thread."""

    def __init__(self) -> None:
        self._asked: deque[Callable[[], Any]] = deque()
        self._changed = threading.Condition()

    def posted(self, function: Callable[..., Any]) -> Callable[..., None]:
        """A stand-in for `function` that the loop calls: the function runs soon, in the waiting thread."""
        return _Posted(self, function)

    def post(self, run: Callable[[], Any]) -> None:
        """Let a function run soon, in a thread that waits then."""
        with self._changed:
            self._asked.append(run)
            self._changed.notify()

    def wait(self, future: Future[T]) -> T:
        """The result of a call of the loop; raises what interrupts the thread, and what functions raise."""
        future.add_done_callback(self._wake)
        while (run := self._next(future)) is not None:
            run()
        return future.result()

    def _next(self, future: Future[Any]) -> Callable[[], Any] | None:
        """What is to be run; None once the call has ended and all has been run that it asked for."""
        with self._changed:
            while not self._asked and not future.done():
                self._changed.wait()
            return self._asked.popleft() if self._asked else None

    def _wake(self, _: Future[Any]) -> None:
        with self._changed:
            self._changed.notify_all()


class _Posted:
    def __init__(self, waiting: Waiting, function: Callable[..., Any]) -> None:
        self._waiting = waiting
        self._function = function
        # It is told of a secret before the daemon is, from whatever thread.
        self.hide = getattr(function, "hide", None)

    def __call__(self, *args: Any) -> None:
        self._waiting.post(lambda: self._function(*args))


def call(work: Coroutine[Any, Any, T], waiting: Waiting | None = None) -> T:
    """Run a coroutine to its end. Raises `RuntimeError` where an event loop runs, which would stop."""
    try:
        refuse_in_loop()
    except BaseException:
        work.close()
        raise
    running = _Running(work)
    try:
        return (waiting or Waiting()).wait(running.future)
    except BaseException:
        running.cancel()  # nothing more happens once the call has ended
        raise


def refuse_in_loop() -> None:
    """Raise `RuntimeError` in a thread whose event loop runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "buildctl.sync would stop the event loop of this thread; await the methods of buildctl.Client here"
    )


def iterate(items: AsyncIterator[T], waiting: Waiting | None = None) -> Iterator[T]:
    """The items of an async generator, which is closed at the end."""

    async def step() -> T:
        return await anext(items, _END)

    async def close() -> None:
        if aclose := getattr(items, "aclose", None):
            await aclose()

    try:
        while (item := call(step(), waiting)) is not _END:
            yield item
    finally:
        call(close())


@contextlib.contextmanager
def entered(manager: AbstractAsyncContextManager[T], waiting: Waiting | None = None) -> Iterator[T]:
    """An async context manager, entered and left by one task, as many have to be.

    What the block raises is raised in the manager; anything but an `Exception` (Ctrl-C) cancels it.
    """
    refuse_in_loop()
    waiting = waiting or Waiting()
    ready: Future[T] = Future()
    leave: Future[BaseException | None] = Future()

    async def host() -> None:
        try:
            async with manager as value:
                ready.set_result(value)
                error = await asyncio.wrap_future(leave)
                if error is not None:
                    raise error
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    running = _Running(host())
    try:
        value = waiting.wait(ready)
        try:
            yield value
        except Exception as error:
            leave.set_result(error)
            waiting.wait(running.future)  # which raises it again, or what came of it
            return
        leave.set_result(None)
        waiting.wait(running.future)
    except BaseException:
        running.cancel()
        raise


class _Running(Generic[T]):
    """A task of the loop that somebody waits for."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._ended = threading.Event()

        async def watched() -> T:
            try:
                return await work
            finally:
                self._ended.set()

        self.future: Future[T] = asyncio.run_coroutine_threadsafe(watched(), _loop())

    def cancel(self) -> None:
        """End it, and give it a moment for that."""
        if not self.future.done():
            self.future.cancel()
            self._ended.wait(_CANCEL_SECONDS)


class _Background(NamedTuple):
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread


_lock = threading.Lock()
_background: _Background | None = None


def _loop() -> asyncio.AbstractEventLoop:
    """The loop, which is started at first use."""
    global _background
    with _lock:
        if _background is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_run, args=(loop,), name="buildctl.sync", daemon=True)
            thread.start()
            _background = _Background(loop, thread)
        return _background.loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _forget() -> None:
    """In a child process, whose copy of the loop nobody runs."""
    global _background, _lock
    _lock = threading.Lock()
    _background = None


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.wait(others, timeout=_EXIT_SECONDS / 2) if others else None


@atexit.register
def _stop() -> None:
    """End the loop with the process, and whatever nobody waits for any more."""
    if _background is None:
        return
    loop, thread = _background
    with contextlib.suppress(Exception):
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(_EXIT_SECONDS)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_EXIT_SECONDS)


os.register_at_fork(after_in_child=_forget)
