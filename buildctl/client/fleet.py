"""Takes one of several daemons for what is to be done: the best that answers.

The first three in the project's order are asked at once, on connections of which the winner's is kept. One
that is known to have answered of late gets a second; another may take four times as long as a neighbour that
has answered, so that daemons that hang cost milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, NamedTuple

from buildctl.errors import BuildctlError, ConnectError
from buildctl.model.address import Address
from buildctl.session.statefolder import state_folder
from buildctl.transport.pool.choose import Candidate, Ranked, rank
from buildctl.transport.pool.members import find_members
from buildctl.transport.pool.state import Daemons, State

if TYPE_CHECKING:
    from buildctl.client.client import Client

NO_KEY = "none"
"""The key of what belongs to no project: one of two drawn at random."""

_AT_ONCE = 3
_PATIENCE_SECONDS = 1.0
"""For a daemon that answered within an hour: it may be busy."""
_LONGEST_SECONDS = 5.0
"""For a daemon of which nothing is known while no other answers: it may be far, or behind ssh."""
_RECENT_SECONDS = 3600.0
_LEAST_SECONDS = 0.015
_TIMES = 4.0


class Taken(NamedTuple):
    """Which daemon was taken, and why."""

    address: Address
    why: str
    passed_over: tuple[str, ...] = ()
    """A line for each better one that did not answer."""


OpenClient = Callable[[Address], AbstractAsyncContextManager["Client"]]


class _Asked:
    """A daemon that is being asked for its workers; its client stays open until it is let go."""

    def __init__(self, ranked: Ranked, opened: AbstractAsyncContextManager[Client]) -> None:
        self.ranked = ranked
        self.began = time.monotonic()
        self.seconds = 0.0
        self.client: Client | None = None
        self.platforms: list[str] = []
        self.failure: Exception | None = None
        self.settled = asyncio.Event()
        self._let_go = asyncio.Event()
        self._task = asyncio.create_task(self._run(opened))

    async def _run(self, opened: AbstractAsyncContextManager[Client]) -> None:
        # Opened and closed by one task, as what is behind an address may demand.
        try:
            async with opened as client:
                workers = await client.workers()
                self.platforms = [str(one.normalized()) for worker in workers for one in worker.platforms]
                self.client, self.seconds = client, time.monotonic() - self.began
                self.settled.set()
                await self._let_go.wait()
        except BuildctlError as error:
            self.failure = error
        finally:
            self.settled.set()

    async def close(self) -> None:
        self._let_go.set()
        if self.client is None:
            self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def take_daemon(
    address: Address,
    open_client: OpenClient,
    *,
    key: str = NO_KEY,
    wanted: Collection[str] = (),
    counts: bool = False,
    environ: Mapping[str, str],
) -> AsyncIterator[tuple[Client, Taken]]:
    """A client of the daemon of `address` that suits best, disconnected at the end.

    `key` is the project, `wanted` the platforms to build for; `counts` says that a build is to run there,
    for other processes to see. Raises `ConnectError` where no daemon answers.
    """
    members = {one.text: one for one in await find_members(address, environ)}
    state = State(state_folder(environ))
    build = [os.getpid(), random.getrandbits(48)]
    key = "" if key == NO_KEY else key

    def plan(daemons: Daemons) -> tuple[list[Ranked], set[str]]:
        now = state.clock()
        candidates = [
            Candidate(
                name,
                len(known.builds),
                None if known.platforms is None else tuple(known.platforms),
                known.rests(now),
            )
            for name in members
            for known in (daemons[name],)
        ]
        ranked = rank(candidates, key, wanted=wanted, pick=random.randrange)
        if counts:
            daemons[ranked[0].name].builds.append(build)
        recent = {
            name
            for name in members
            if not daemons[name].failures and 0 <= now - daemons[name].answered < _RECENT_SECONDS
        }
        return ranked, recent

    if wanted:
        await _learn_platforms(members, state, open_client)
    ranked, recent = await asyncio.to_thread(state.change, plan)
    try:
        chosen, lost = await _first_to_answer(ranked, recent, lambda name: open_client(members[name]))
        failures = {one.ranked.name: _words(one) for one in lost}

        def note(daemons: Daemons) -> None:
            now = state.clock()
            for one in lost:
                if one.failure is not None or time.monotonic() - one.began >= _PATIENCE_SECONDS:
                    daemons[one.ranked.name].note_failure(now)
            if chosen is not None:
                daemons[chosen.ranked.name].note_answer(now, chosen.platforms)
                if counts and chosen.ranked.name != ranked[0].name:
                    daemons.release(build)
                    daemons[chosen.ranked.name].builds.append(build)

        await asyncio.to_thread(state.change, note)
        if chosen is None or chosen.client is None:
            told = "; ".join(f"{name}: {words}" for name, words in failures.items())
            raise ConnectError(
                f"none of {len(members)} daemons answers: {told}", hint="is one of them running?"
            )
        passed = tuple(f"{name} passed over: {words}" for name, words in failures.items())
        try:
            yield chosen.client, Taken(members[chosen.ranked.name], chosen.ranked.why, passed)
        except BuildctlError as error:
            if getattr(error, "transient", False):
                name = chosen.ranked.name
                await asyncio.to_thread(state.change, lambda known: known[name].note_failure(state.clock()))
            raise
        finally:
            await chosen.close()
    finally:
        if counts:
            await asyncio.to_thread(state.change, lambda daemons: daemons.release(build))


async def _learn_platforms(members: Mapping[str, Address], state: State, open_client: OpenClient) -> None:
    """Ask those whose platforms nobody knows yet, all at once, for as long as the others make plausible."""

    def strangers(daemons: Daemons) -> list[str]:
        now = state.clock()
        return [one for one in members if daemons[one].platforms is None and not daemons[one].rests(now)]

    names = await asyncio.to_thread(state.change, strangers)
    asked = [_Asked(Ranked(name, ""), open_client(members[name])) for name in names]
    began = time.monotonic()
    try:
        while any(not one.settled.is_set() for one in asked):
            slowest = max((one.seconds for one in asked if one.client is not None), default=None)
            limit = _LONGEST_SECONDS if slowest is None else max(_LEAST_SECONDS, _TIMES * slowest)
            if time.monotonic() - began >= limit:
                break
            await _any_settled(asked, began + limit - time.monotonic())

        def note(daemons: Daemons) -> None:
            for one in asked:
                if one.client is not None:
                    daemons[one.ranked.name].note_answer(state.clock(), one.platforms)
                elif one.failure is not None:
                    daemons[one.ranked.name].note_failure(state.clock())

        await asyncio.to_thread(state.change, note)
    finally:
        await asyncio.gather(*(one.close() for one in asked))


def _words(one: _Asked) -> str:
    return str(one.failure) if one.failure is not None else "it does not answer"


async def _first_to_answer(
    ranked: list[Ranked], recent: set[str], open_client: Callable[[str], AbstractAsyncContextManager[Client]]
) -> tuple[_Asked | None, list[_Asked]]:
    """The best daemon that answers in time, and the better ones that did not. All others are let go."""
    waiting = list(ranked)
    asked: list[_Asked] = []
    lost: list[_Asked] = []
    try:
        while waiting or asked:
            # One that is known to be well is asked alone: the others need not hear of it.
            alone = asked and asked[0].ranked.name in recent and not asked[0].settled.is_set()
            while waiting and len(asked) < _AT_ONCE and not (asked and alone):
                asked.append(_Asked(waiting[0], open_client(waiting.pop(0).name)))
                alone = asked[0].ranked.name in recent
            best = asked[0]
            quickest = min((one.seconds for one in asked[1:] if one.client is not None), default=None)
            if best.client is not None:
                asked.pop(0)
                return best, lost
            limit = _limit(best, recent, quickest)
            if best.failure is not None or time.monotonic() >= best.began + limit:
                lost.append(asked.pop(0))
                continue
            await _any_settled(asked, best.began + limit - time.monotonic())
        return None, lost
    finally:
        await asyncio.gather(*(one.close() for one in (*asked, *lost)))


def _limit(best: _Asked, recent: set[str], quickest: float | None) -> float:
    """How many seconds the best may take."""
    if best.ranked.name in recent:
        return _PATIENCE_SECONDS
    return _LONGEST_SECONDS if quickest is None else max(_LEAST_SECONDS, _TIMES * quickest)


async def _any_settled(asked: list[_Asked], seconds: float) -> None:
    """Wait until one more has answered or failed, or the time is over."""
    waits = [asyncio.ensure_future(one.settled.wait()) for one in asked if not one.settled.is_set()]
    try:
        await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
