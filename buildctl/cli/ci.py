"""What a build leaves for the CI service it runs in, besides its display: where it failed, and a summary.

Only with a service's own display; with any other, nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from buildctl.cli.environment import write_all
from buildctl.cli.output import Output
from buildctl.errors import BuildctlError, SolveError
from buildctl.system.failure import errno_text

if TYPE_CHECKING:
    from buildctl.model.solve import SolveOpt
    from buildctl.model.status import SolveStatus
    from buildctl.progress.ci.summary import StepSummary
    from buildctl.progress.dialect import Dialect, Place
    from buildctl.progress.mode import Mode

_WORKSPACES = (
    "GITHUB_WORKSPACE",
    "CI_PROJECT_DIR",
    "BUILDKITE_BUILD_CHECKOUT_PATH",
    "BUILD_SOURCESDIRECTORY",
)
"""Where each service has checked out the repository; TeamCity tells it to no process."""


class CIReport:
    """The report on one build: a context around it that announces how it ends and lets the error pass."""

    def __init__(self, output: Output, mode: Mode, opt: SolveOpt) -> None:
        from buildctl.progress.mode import Mode
        from buildctl.progress.modes import dialect_of

        self._output = output
        environment = output.environment
        self._environment = environment
        self._opt = opt
        self._dialect: Dialect | None = dialect_of(mode, self.locate)
        output.in_ci |= self._dialect is not None
        self._summary: StepSummary | None = None
        self._summary_path = environment.variables.get("GITHUB_STEP_SUMMARY", "")
        if mode is Mode.GITHUB and self._summary_path:
            from buildctl.progress.ci.summary import StepSummary

            self._summary = StepSummary()

    @property
    def sinks(self) -> tuple[Callable[[SolveStatus], None], ...]:
        """Where each message of the build is to go."""
        return () if self._summary is None else (self._summary.update,)

    def locate(self, filename: str) -> str:
        """The path of a build file that the daemon names: below the checkout, or the working directory."""
        key = self._opt.frontend_attrs.get("dockerfilekey", "dockerfile")
        folder = self._opt.local_dirs.get(key)
        if not isinstance(folder, str):
            return filename
        path = os.path.abspath(os.path.join(folder, filename))
        roots = [root for name in _WORKSPACES if (root := self._environment.variables.get(name))]
        for root in map(os.path.abspath, [*roots, "."]):
            if path.startswith(os.path.join(root, "")):
                return os.path.relpath(path, root)
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        error = exc if isinstance(exc, BuildctlError) else None
        if error is not None and self._dialect is not None:
            from buildctl.progress.dialect import Level

            text = self._output.mask(str(error))
            notice = self._dialect.notice(Level.ERROR, self._place(error, self._dialect), text)
            self._output.say_as_it_is(notice)
        if self._summary is not None and (exc is None or error is not None):
            self._append_summary(self._summary, error)

    def _place(self, error: BuildctlError, dialect: Dialect) -> Place | None:
        """The first place that the error points at."""
        from buildctl.progress.dialect import Place
        from buildctl.progress.visible import visible

        for excerpt in error.excerpts if isinstance(error, SolveError) else ():
            for first, last in excerpt.ranges:
                return Place(
                    visible(self._output.mask(dialect.locate(excerpt.filename))), first, max(first, last)
                )
        return None

    def _append_summary(self, summary: StepSummary, error: BuildctlError | None) -> None:
        from buildctl.client.excerpt import format_excerpt
        from buildctl.progress.ci.summary import SUMMARY_LIMIT

        excerpts = (
            [self._output.mask(format_excerpt(excerpt)) for excerpt in error.excerpts]
            if isinstance(error, SolveError)
            else []
        )
        try:
            descriptor = os.open(
                self._summary_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
            )
            try:
                limit = SUMMARY_LIMIT - os.fstat(descriptor).st_size
                write_all(
                    descriptor,
                    summary.markdown(
                        "" if error is None else self._output.mask(str(error)), excerpts, limit=limit
                    ),
                )
            finally:
                os.close(descriptor)
        except OSError as failure:  # a build must not fail for its summary
            reason = errno_text(failure)
            self._output.say(f"warning: no summary in {self._summary_path}: {reason}\n")
