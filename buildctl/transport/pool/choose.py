"""Which daemon a build goes to: one whose cache is warm, that is not overrun, and has the platform.

Rendezvous hashing (Thaler and Ravishankar, 1996) gives each project an order of the daemons of its own. Where
a daemon comes or goes, only the projects move that it takes or had. Bounded loads (Mirrokni, Thorup and
Zadimoghaddam, 2016) let a build pass by a daemon that has far more than its share. All of it is pure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

BOUND = 2.0
"""How many times the mean a daemon may have. With 1.25, as in the paper, builds of a fleet of
four may lose their cache in bursts of 20."""
FEW = 4
"""A daemon with fewer builds than this is never too busy: caches are worth more than perfect balance."""


class Candidate(NamedTuple):
    """What is known of a daemon before it is asked."""

    name: str
    """Its address, by which it is known from build to build."""
    running: int = 0
    """How many builds it has."""
    platforms: tuple[str, ...] | None = None
    """As its worker lists them, its own first; None where nobody has asked yet."""
    rests: bool = False
    """Whether it failed a moment ago and is to be left alone."""


class Ranked(NamedTuple):
    """A daemon in the order in which daemons are to be tried, and why it is where it is."""

    name: str
    why: str


def rank(
    candidates: Sequence[Candidate],
    key: str,
    *,
    wanted: Iterable[str] = (),
    pick: Callable[[int], int] | None = None,
) -> list[Ranked]:
    """All candidates, the best first. Those that rest come last: without others they are better than nothing.

    `key` is the project. Empty, two are drawn with `pick(n)`, a number below n, and the one with fewer builds
    is taken. `wanted` are the platforms to build for, such as `linux/arm64`.
    """
    wanted = frozenset(wanted)
    fit = {one.name: _fitness(one, wanted) for one in candidates}
    busy = _busy(candidates)
    awake = [one for one in candidates if not one.rests]
    best = max((fit[one.name] for one in awake), default=0)
    order = _by_key(candidates, key) if key or pick is None else _by_lot(candidates, awake, best, fit, pick)
    place = {one.name: at for at, one in enumerate(order)}

    def cost(one: Candidate) -> tuple[bool, int, bool, int]:
        return one.rests, -fit[one.name], bool(key) and one.name in busy, place[one.name]

    ranked = sorted(candidates, key=cost)
    first = next((one for one in order if not one.rests and fit[one.name] == best), None)
    return [
        Ranked(one.name, _reason(one, key, first, best if wanted else 0, len(candidates))) for one in ranked
    ]


def _fitness(one: Candidate, wanted: frozenset[str]) -> int:
    """2 where it is of such a machine, 1 where it can or may, 0 where it is known that it cannot."""
    if not wanted or one.platforms is None:
        return 1
    if not wanted & set(one.platforms):
        return 0
    return 2 if one.platforms[0] in wanted else 1


def _busy(candidates: Sequence[Candidate]) -> set[str]:
    """Those that have more than their share, once this build is counted."""
    awake = [one for one in candidates if not one.rests]
    if not awake:
        return set()
    share = max(FEW, math.ceil(BOUND * (sum(one.running for one in awake) + 1) / len(awake)))
    return {one.name for one in awake if one.running >= share}


def score(key: str, name: str) -> bytes:
    """How much the project likes the daemon; the greatest is its first choice."""
    return hashlib.blake2b(
        f"{len(key)}:{key}{name}".encode("utf-8", "surrogateescape"), digest_size=8
    ).digest()


def _by_key(candidates: Sequence[Candidate], key: str) -> list[Candidate]:
    return sorted(candidates, key=lambda one: score(key, one.name), reverse=True)


def _by_lot(
    candidates: Sequence[Candidate],
    awake: Sequence[Candidate],
    best: int,
    fit: Mapping[str, int],
    pick: Callable[[int], int],
) -> list[Candidate]:
    """Two drawn, the one with fewer builds first (the power of two choices, Mitzenmacher 2001)."""
    rest = [one for one in awake if fit[one.name] == best]
    drawn = [rest.pop(pick(len(rest))) for _ in range(min(2, len(rest)))]
    drawn.sort(key=lambda one: one.running)
    others = [one for one in candidates if one not in drawn]
    return drawn + sorted(others, key=lambda one: one.running)


def _reason(one: Candidate, key: str, first: Candidate | None, best: int, count: int) -> str:
    if one.rests:
        return "all others failed or cannot"
    native = ", which has the platform natively" if best == 2 else ""
    if not key:
        return f"by lot of {count}, {one.running} running{native}"
    if first is None or first.name == one.name:
        return f"first choice of this project among {count}{native}"
    return f"the next choice of this project among {count}{native}; {first.name} has {first.running} running"
