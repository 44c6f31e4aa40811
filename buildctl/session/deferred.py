"""A service that is only made if the daemon calls it: few builds are asked for accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from buildctl.session.stream import Attachable, Handler, ServerStream


class Deferred:
    """Attachable: the one that `make` gives at the first call; `paths` are those of all its methods."""

    def __init__(self, paths: Iterable[str], make: Callable[[], Attachable]) -> None:
        self._paths = tuple(paths)
        self._make = make

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {path: self._handler(path) for path in self._paths}

    @cached_property
    def _handlers(self) -> Mapping[str, Handler]:
        return self._make().methods

    def _handler(self, path: str) -> Handler:
        async def handle(stream: ServerStream) -> None:
            await self._handlers[path](stream)

        return handle
