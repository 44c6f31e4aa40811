"""Where a build goes among several daemons: its project, its platforms, the next one until it begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from buildctl.errors import RPCError, SolveError, UsageError

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.model.solve import SolveOpt, SolveResult
    from buildctl.model.status import SolveStatus


def project_key(opt: SolveOpt) -> str:
    """What the build's cache belongs to: its folders, else its context's URL, else nothing (`none`)."""
    attrs = opt.frontend_attrs
    return opt.shared_key or attrs.get("context") or attrs.get("source") or "none"


def platforms_of(opt: SolveOpt) -> tuple[str, ...]:
    """The platforms that the build asks for, normalized; what is not one is the daemon's to refuse."""
    from buildctl.model.platform import Platform

    found = []
    for text in filter(None, opt.frontend_attrs.get("platform", "").split(",")):
        try:
            found.append(str(Platform.parse(text.strip()).normalized()))
        except UsageError:
            continue
    return tuple(found)


class Start:
    """Moves a build on to another daemon where the one that was taken is lost before the build begins."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begun = False
        self._place = ""
        self._left: set[str] = set()

    def watching(
        self, client: Client, update: Callable[[SolveStatus], None]
    ) -> Callable[[SolveStatus], None]:
        """`update`, and note that the build has begun once the daemon tells of a step."""
        if client.taken is None:
            return update
        self._place = client.taken.address.text

        def watch(status: SolveStatus) -> None:
            self._begun = self._begun or bool(status.vertexes)
            update(status)

        return watch

    async def anywhere(self, attempt: Callable[[str], Awaitable[SolveResult]], ref: str) -> SolveResult:
        """The attempt's result; what fails on a lost daemon after the build has begun is for `--retries`."""
        while True:
            self._begun, self._place = False, ""
            try:
                return await attempt(ref)
            except (RPCError, SolveError) as error:
                place = self._place
                if self._begun or not place or not error.transient or place in self._left:
                    raise
                self._left.add(place)
                self._say(f"{place} failed before the build began: {error}; taking another\n")
