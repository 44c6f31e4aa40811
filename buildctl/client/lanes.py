"""Spreads builds that run at once over connections, for one connection carries a limited number of calls.

Go's HTTP/2 server, which is in front of the BuildKit of a Docker Engine, takes 250, and a build has up to
five. At the limit builds wait for ever: each holds calls, and needs one more to end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from buildctl.client.rpc import Caller

BUILDS_PER_CONNECTION = 20
"""With five calls each they stay below a hundred, the least that a server should allow (RFC 9113, 6.5.2)."""

OPEN_BUILD = 5
"""How many others an open build counts for: its calls are up to twenty more."""


class Lanes:
    """The connections of one client; further ones are opened when they are needed, and stay."""

    def __init__(self, first: Caller, open_another: Callable[[], Caller] | None = None) -> None:
        """Without `open_another` all builds go over the first."""
        self._open_another = open_another
        self._builds = {first: 0}

    @contextlib.contextmanager
    def take(self, weight: int = 1) -> Iterator[Caller]:
        """The way to the daemon for a build that takes as long as the block, and counts for `weight`."""
        caller = min(self._builds, key=self._builds.__getitem__)
        if self._builds[caller] >= BUILDS_PER_CONNECTION and self._open_another is not None:
            caller = self._open_another()
            self._builds[caller] = 0
        self._builds[caller] += weight
        try:
            yield caller
        finally:
            self._builds[caller] -= weight
