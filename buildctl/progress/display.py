"""A build's display: a renderer at the right pace, written where it cannot hold up or fail the build."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from buildctl.model.status import SolveStatus, UnreadLogs
from buildctl.progress.budget import Budget
from buildctl.progress.clock import ClientClock
from buildctl.progress.masking import Masker, StatusMasker
from buildctl.progress.pump import Pump
from buildctl.progress.renderer import Judging, Leaving, Renderer
from buildctl.progress.writer import StreamWriter

if TYPE_CHECKING:
    from buildctl.progress.hold import TerminalHold

logger = logging.getLogger(__name__)

_ASIDE_S = 0.2
"""How long Ctrl-Z waits for a terminal that takes nothing."""
_HELD_LOG_BYTES = 16 << 20
"""Of what is said while a display stands aside; logs beyond it are not shown."""


class Display:
    """Shows one build: `async with` it, give it what the Status stream says, and it ends with the rest.

    `began_ns` is the instant of entering, by the client's clock; the build is taken to begin then too, unless
    it is shown `by_daemon_clock`. `update` is a status sink: it neither waits nor raises. A display that
    fails says so in a line and shows nothing more. Each message goes `also` to other sinks, as it is shown:
    without the secrets that `masker` knows, and without what is beyond the `budget` of a build. One that
    fails gets nothing more, and a warning says so.
    """

    def __init__(
        self,
        renderer: Renderer,
        writer: StreamWriter,
        *,
        began_ns: int,
        rate_ms: int | None = None,
        by_daemon_clock: bool = False,
        also: Sequence[Callable[[SolveStatus], None]] = (),
        masker: Masker | None = None,
        budget: Budget | None = None,
        hold: TerminalHold | None = None,
    ) -> None:
        self._also = list(also)
        self._budget = budget or Budget()
        self._masker = StatusMasker(
            Masker() if masker is None else masker
        )  # one that knows nothing yet is false
        self._writer = writer
        self._renderer = renderer
        self._pump = Pump(renderer, began_ns, rate_ms=rate_ms)
        self._began_ns = began_ns
        self._clock = None if by_daemon_clock else ClientClock(began_ns)
        self._origin_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._terminal = hold
        self._held: list[SolveStatus] | None = None  # what has come while others have the stream
        self._held_log_bytes = 0
        self.say_before_failures: Callable[[BaseException], str] | None = None
        """What gives the text that comes before the logs of what failed, which are to stay with the error."""
        self.failure: Exception | None = None
        """What ended the display early."""
        self.faults: list[Exception] = []
        """Those of other sinks, which get nothing more."""

    async def __aenter__(self) -> Self:
        self._origin_s = asyncio.get_running_loop().time()
        self._arm()
        if self._terminal is not None:
            self._terminal.take(self._step_aside, self._come_back)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(ended=exc)

    def update(self, status: SolveStatus) -> None:
        """Show what a message of the daemon says, its instants moved onto the client's clock, now or soon."""
        self._take(status, self._clock, self._budget)

    def update_own(self, status: SolveStatus) -> None:
        """Show what this client says itself, by its own clock."""
        self._take(status, None, None)

    def _take(self, status: SolveStatus, clock: ClientClock | None, budget: Budget | None) -> None:
        if self._closed:
            return
        try:
            if budget is not None:
                status = budget.admit(status)
            status = self._masker.mask(clock.adjust(status) if clock else status)
        except Exception as error:  # what cannot be masked is not shown
            self._give_up(error)
            return
        self._pass_on(status)

    def _pass_on(self, status: SolveStatus) -> None:
        if not self._hold(status):
            self._show(lambda now_ns: self._pump.update(status, now_ns, busy=self._writer.busy))
        for sink in tuple(self._also):
            try:
                sink(status)
            except Exception as error:  # it is asked no more, and its own end tells what is missing
                self._also.remove(sink)
                self.faults.append(error)
                logger.warning("what is recorded of the build is not complete: %r", error)

    @contextlib.asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Leave the stream to somebody else for the block; what the build says is shown after it."""
        if isinstance(self._renderer, Leaving):
            self._show(self._renderer.leave)
        await self._writer.idle()
        self._held, self._held_log_bytes = [], 0
        try:
            yield
        finally:
            held, self._held = self._held, None
            for status in held:
                self._show(lambda now_ns, it=status: self._pump.update(it, now_ns, busy=True))  # type: ignore[misc]

    def _hold(self, status: SolveStatus) -> bool:
        """Keep a message for later, if it is not to be shown now; of logs no more than is bearable."""
        if self._held is None:
            return False
        size = (
            status.logs.size_bytes
            if isinstance(status.logs, UnreadLogs)
            else sum(len(log.data) for log in status.logs)
        )
        self._held_log_bytes += size
        self._held.append(status if self._held_log_bytes < _HELD_LOG_BYTES else status._replace(logs=()))
        return True

    async def close(self, patience_s: float | None = None, *, ended: BaseException | None = None) -> None:
        """Show the end and wait until it is written, at most `patience_s` seconds; a failure `ended` it.

        Without a limit a reader that has stopped reading is waited for: it may be a pager.
        """
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            if (rest := self._masker.finish()).logs:
                self._pass_on(rest)
        except Exception as error:
            self._give_up(error)
        if ended is not None and isinstance(self._renderer, Judging):
            self._renderer.note_failure(canceled=isinstance(ended, asyncio.CancelledError))
        say = self.say_before_failures
        between = say(ended).encode(errors="surrogateescape") if say and ended is not None else b""
        self._show(lambda now_ns: self._pump.finish(now_ns, between))
        try:
            await self._writer.close(patience_s)
        finally:
            self._writer.abandon()
            self._let_go()
            if self._budget.notice:
                logger.warning("%s", self._budget.notice)

    def abandon(self) -> None:
        """End at once, with the stream put right if it takes bytes: for a user who will not wait."""
        if not self._closed:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._writer.write(self._renderer.restore)
            self._writer.abandon(patience_s=0.1)
            self._let_go()

    def _let_go(self) -> None:
        if self._terminal is not None:
            self._terminal.release()

    async def _step_aside(self) -> None:
        """Leave the picture where it is, soon, for the process is to be stopped."""
        if isinstance(self._renderer, Leaving) and self._held is None:
            self._show(self._renderer.leave)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ASIDE_S):
                await self._writer.idle()

    def _come_back(self) -> None:
        """Draw the picture again, below what others have written meanwhile."""
        if self._held is None:
            self._show(lambda now_ns: self._pump.refresh(now_ns, busy=False))

    def _show(self, produce: Callable[[int], bytes]) -> None:
        if self.failure is not None:
            return
        try:
            self._writer.write(produce(self._now()))
        except Exception as error:  # a build is worth more than its picture
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        if self.failure is not None:
            return
        self.failure = error
        why = ascii(error).encode()  # it may quote what the daemon sent
        try:
            restore = self._renderer.restore
        except Exception:
            restore = b""
        self._writer.write(restore + b"\nprogress display failed: %s\n" % why)
        self._let_go()

    def _now(self) -> int:
        """The client's clock as it was at the beginning, carried on by one that nobody sets."""
        assert self._origin_s is not None, "a display is entered before it is used"
        return self._began_ns + int((asyncio.get_running_loop().time() - self._origin_s) * 1e9)

    def _arm(self) -> None:
        # One timer that looks again is cheaper than a new one for every message.
        wait_s = max(0.0, (self._pump.due_ns - self._now()) / 1e9)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _tick(self) -> None:
        if self._held is None and self._now() >= self._pump.due_ns:
            self._show(lambda now_ns: self._pump.refresh(now_ns, busy=self._writer.busy))
        if self.failure is None:
            self._arm()
