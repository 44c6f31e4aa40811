"""`build --assert-cached`: a build whose steps ran, though they were to be cached, fails with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from buildctl.errors import BuildctlError, NotCachedError
from buildctl.model.status import SolveStatus
from buildctl.progress.trace import Trace

if TYPE_CHECKING:
    from buildctl.cli.app import App
    from buildctl.progress.why import Reason

_SHOWN = 20


class CacheAssertion:
    """Watches one build; `update` is a status sink."""

    def __init__(self, pattern: str) -> None:
        """`pattern` is a glob of step names, such as `*RUN npm ci*`; `true` is all of the build file."""
        self._pattern = "*" if pattern == "true" else pattern
        self._trace = Trace()

    def update(self, status: SolveStatus) -> None:
        """Take in a message."""
        if status.vertexes:
            self._trace.update(SolveStatus(status.vertexes))

    async def check(self, app: App, ref: str) -> None:
        """Raises `NotCachedError` if a step that matches ran in the build `ref`, which succeeded."""
        from buildctl.progress.why import ToldBuild, explain

        ran = self._matching(explain(ToldBuild(self._trace), None))
        if not ran:
            return
        reasons = {reason.digest: reason for reason in await _reasons(app, ref)}
        lines = [_line(reasons.get(one.digest), one) for one in ran[:_SHOWN]]
        if len(ran) > _SHOWN:
            lines.append(f"and {len(ran) - _SHOWN} more")
        count = f"{len(ran)} step{'s' * (len(ran) != 1)}"
        raise NotCachedError(
            "\n  ".join([f"{count} ran that {'was' if len(ran) == 1 else 'were'} to be cached", *lines]),
            hint=f"buildctl why {ref} tells more",
        )

    def _matching(self, reasons: Sequence[Reason]) -> list[Reason]:
        return [reason for reason in reasons if fnmatchcase(reason.step, self._pattern)]


async def _reasons(app: App, ref: str) -> list[Reason]:
    """Why steps ran, by the daemon's history; none where it has no history."""
    from buildctl.cli.history.choose import chosen_builds
    from buildctl.cli.why import explain_build

    try:
        async with chosen_builds(app, [ref]) as (build,):
            return (await explain_build(app, build))[2]
    except BuildctlError:
        return []


def _line(reason: Reason | None, step: Reason) -> str:
    from buildctl.progress.visible import visible

    name = visible(step.step)
    if reason is None:
        return name
    details = f": {', '.join(map(visible, reason.details))}" if reason.details else ""
    return f"{name}: {visible(reason.text)}{details} ({reason.certainty})"
