"""`Progress`: the displays of the command line for programs, which may run an event loop or none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, Any, Literal, Self, TypeAlias

from buildctl.model.status import SolveStatus
from buildctl.progress.display import Display
from buildctl.progress.masking import Masker
from buildctl.progress.modes import choose_mode, open_display

ProgressMode: TypeAlias = Literal["auto", "tty", "plain", "rawjson", "errors", "quiet", "grouped"]

_NO_TERMINAL = (80, 10)
_PIECE = 64 * 1024


class Progress:
    """Shows builds while it is entered, with `with` or `async with`; it is what `on_status` is given.

        with Progress("plain") as show:
            client.build(".", on_status=show)

    The picture is drawn by a thread of its own: calls do not wait for a slow terminal. Whoever leaves waits
    until all is written. Secrets that `Client.build` was given are shown as stars.
    """

    def __init__(
        self,
        mode: ProgressMode | str = "auto",
        stream: IO[str] | IO[bytes] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`mode` is one of `--progress`: `auto` is the live picture on a terminal, else plain lines.

        `stream` is an open file, by default standard error. Of `environ` (the process's own when None)
        BUILDKIT_PROGRESS, NO_COLOR and the like count. Raises `UsageError`, when entered, for a mode that
        does not exist, or needs a terminal where the stream is none.
        """
        self._wanted = mode
        self._stream = stream
        self._environ = os.environ if environ is None else environ
        self._masker = Masker()
        self._running: _Running | None = None

    def __call__(self, status: SolveStatus) -> None:
        """Show what a message of the daemon says; from any thread. Nothing happens after the end."""
        if self._running is not None:
            self._running.tell(status)

    def hide(self, value: bytes) -> None:
        """Show stars in place of a secret from now on; from any thread: `show.hide(b"s3cret")`."""
        if self._running is not None:
            self._running.hide(value)
        else:
            self._masker.learn(value)

    def __enter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("this Progress is entered already")
        self._running = _Running(self._wanted, self._stream, self._environ, self._masker)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            await asyncio.to_thread(running.close)


class _Running:
    """A display on an event loop of its own."""

    def __init__(
        self,
        wanted: str,
        stream: IO[str] | IO[bytes] | None,
        environ: Mapping[str, str],
        masker: Masker,
    ) -> None:
        self._masker = masker
        stream = sys.stderr if stream is None else stream
        if (flush := getattr(stream, "flush", None)) is not None:
            flush()  # what was written before comes before
        self._copy: _Copy | None = None
        try:
            descriptor = stream.fileno()
        except (OSError, AttributeError, ValueError):  # a notebook's, a test's, one in memory
            self._copy = _Copy(stream)
            descriptor = self._copy.descriptor
        try:
            is_terminal = self._copy is None and os.isatty(descriptor)
            mode = choose_mode(wanted, is_terminal=is_terminal, variables=environ, in_ci=True)
            self._open: Callable[[], Display] = lambda: open_display(
                mode,
                descriptor,
                began_ns=time.time_ns(),
                size=lambda: _size(descriptor),
                variables=environ,
                masker=masker,
                is_terminal=is_terminal,
            )
            self._loop = asyncio.new_event_loop()
            self._display: Display | None = None
            self._ending = asyncio.Event()
            ready = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(ready,), name="progress", daemon=True)
            self._thread.start()
            ready.wait()
        except BaseException:
            if self._copy is not None:
                self._copy.close()
            raise

    def tell(self, status: SolveStatus) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._update, status)

    def hide(self, value: bytes) -> None:
        # In its turn: what is told from now on comes after it.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._masker.learn, value)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        if self._copy is not None:
            self._copy.close()

    def _update(self, status: SolveStatus) -> None:
        if self._display is not None:
            self._display.update(status)

    def _run(self, ready: threading.Event) -> None:
        async def show() -> None:
            async with self._open() as display:
                self._display = display
                ready.set()
                await self._ending.wait()

        try:
            self._loop.run_until_complete(show())
        finally:
            ready.set()
            self._loop.close()


class _Copy:
    """A pipe to an object that has no descriptor."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._reader, self.descriptor = os.pipe()
        self._thread = threading.Thread(target=self._run, name="progress copy", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self.descriptor)
        self._thread.join()

    def _run(self) -> None:
        import codecs

        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        takes_text = True
        with os.fdopen(self._reader, "rb", buffering=0) as source:
            while piece := source.read(_PIECE):
                if takes_text:
                    try:
                        self._stream.write(decode(piece))
                        continue
                    except TypeError:  # a binary one
                        takes_text = False
                    except Exception:  # noqa: S112 - a build is worth more than its picture
                        continue
                with contextlib.suppress(Exception):
                    self._stream.write(piece)


def _size(descriptor: int) -> tuple[int, int]:
    try:
        columns, lines = os.get_terminal_size(descriptor)
    except OSError:
        columns, lines = 0, 0
    return columns or _NO_TERMINAL[0], lines or _NO_TERMINAL[1]
