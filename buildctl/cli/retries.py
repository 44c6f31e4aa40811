"""A build that ended for a transient reason is run again: `--retries`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from buildctl.errors import BuildctlError, RPCError, SolveError, UsageError
from buildctl.model.identity import new_id

if TYPE_CHECKING:
    from buildctl.model.solve import SolveResult

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 30.0
_JITTER = 0.5
"""Delays are spread by so much of themselves each way, so that many clients do not come back at once."""


class Retries:
    """The attempts at one build, each under a ref of its own."""

    def __init__(self, limit: int, ref: str, say: Callable[[str], None]) -> None:
        """At most `limit` attempts follow the first, named `ref`. Raises `UsageError` for a limit below 0."""
        if limit < 0:
            raise UsageError(f"--retries cannot be negative: {limit}", hint="0 is for one attempt")
        self.limit = limit
        self._say = say
        self.ref = ref
        """Of the last attempt."""

    async def run(self, build: Callable[[str], Awaitable[SolveResult]]) -> SolveResult:
        """Call `build` with a ref until it succeeds, fails for good, or has had its attempts."""
        import asyncio

        for number in range(1, self.limit + 1):
            try:
                return await build(self.ref)
            except (RPCError, SolveError) as error:
                if not error.transient:
                    raise
                seconds = delay_seconds(number)
                self._say(self._report(number, error, seconds))
            await asyncio.sleep(seconds)
            self.ref = new_id()
        return await build(self.ref)

    def _report(self, number: int, error: BuildctlError, seconds: float) -> str:
        return f"attempt {number} of {self.limit + 1}: {error}; trying again in {seconds:.1f} s\n"


def delay_seconds(number: int) -> float:
    """How long to wait after the attempt `number`, the first of which is 1: twice as long each time."""
    import random  # which few builds need

    delay = min(_FIRST_SECONDS * 2.0 ** min(number - 1, 10), _LONGEST_SECONDS)
    return delay * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  nobody gains by guessing it
