"""What is written of a build besides its display: a trace, cache metrics, where its time went, warnings."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from buildctl.cli.environment import Environment, write_all
from buildctl.cli.metrics import CacheMetrics
from buildctl.cli.outfile import open_file, write_failure
from buildctl.cli.transfers import warnings
from buildctl.errors import BuildctlError

if TYPE_CHECKING:
    from buildctl.cli.insight import Insight
    from buildctl.cli.linefile import LineFile
    from buildctl.cli.sessionlog import SessionLog
    from buildctl.cli.tracefile import TraceFile
    from buildctl.model.solve import OnUnreadable
    from buildctl.model.status import SolveStatus
    from buildctl.model.transfer import Transfer
    from buildctl.session.observed import RequestSink

logger = logging.getLogger(__name__)


class Recordings:
    """Those of one build: `async with` them while it runs, and `report` at its end."""

    def __init__(
        self,
        environment: Environment,
        *,
        trace: str,
        metrics: str,
        session_log: str = "",
        insight: Insight | None = None,
        mask: Callable[[str], str] = str,
    ) -> None:
        """Open the files that are asked for. Raises `BuildctlError`.

        `mask` hides secrets in what is reported of the build besides its messages.
        """
        self._mask = mask
        self._environment = environment
        self._insight = insight
        self._ended_ns: int | None = None
        self._failure: BaseException | None = None
        self._began_ns = environment.now_ns()
        self._transfers: list[Transfer] = []
        self._trace = _open_trace(trace) if trace else None
        self._session_log = _open_session_log(session_log, environment) if session_log else None
        self._metrics = CacheMetrics() if metrics else None
        self._metrics_file, self._metrics_name = self._open_metrics(metrics) if metrics else (-1, "")
        if metrics:
            logger.info("writing JSON cache metrics to %s", self._metrics_name)

    def _open_metrics(self, target: str) -> tuple[int, str]:
        """Descriptor and name; `stdout` and `stderr` are the process's own."""
        if target == "stdout":
            return self._environment.stdout, "/dev/stdout"
        if target == "stderr":
            return self._environment.stderr, "/dev/stderr"
        return open_file(target, os.O_TRUNC), target

    @property
    def sinks(self) -> tuple[Callable[[SolveStatus], None], ...]:
        """Where each message of the build is to go, by the client's clock."""
        recorders = (self._trace, self._metrics, self._insight)
        return tuple(recorder.update for recorder in recorders if recorder is not None)

    def note_transfer(self, transfer: Transfer) -> None:
        """Keep what a transfer of a local directory did until the end."""
        self._transfers.append(transfer)

    def request_sink(self, ref: str) -> RequestSink | None:
        """What is to be told of the daemon's requests during the build `ref`, if that is wanted."""
        return partial(self._session_log.note, ref) if self._session_log is not None else None

    async def __aenter__(self) -> Self:
        for file in self._line_files:
            await file.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended_ns = self._environment.now_ns()
        self._failure = exc
        failure: BuildctlError | None = None
        for file in self._line_files:
            try:
                await file.__aexit__(exc_type, exc, traceback)
            except BuildctlError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    @property
    def _line_files(self) -> Sequence[LineFile]:
        return [file for file in (self._trace, self._session_log) if file is not None]

    def report(self, on_unreadable: OnUnreadable = "error") -> None:
        """Tell where the time went, then warnings, then the metrics, after everything else that is printed.

        Raises `BuildctlError`.
        """
        if self._insight is not None and self._ended_ns is not None:
            self._tell(self._insight, self._ended_ns)
        for warning in warnings(self._transfers, on_unreadable):
            self._environment.write_stderr(self._mask(warning))
        if self._metrics is None:
            return
        took_ms = (self._environment.now_ns() - self._began_ns) // 1_000_000
        try:
            write_all(self._metrics_file, self._metrics.report(took_ms))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_failure(self._metrics_name, error) from None

    def _tell(self, insight: Insight, ended_ns: int) -> None:
        import asyncio

        timings = insight.timings(end_ns=ended_ns)
        interrupted = isinstance(self._failure, asyncio.CancelledError)
        if timings is not None and insight.speaks(timings, interrupted=interrupted):
            stderr = self._environment.stderr
            text = insight.summary(timings, self._transfers, self._environment, stderr)
            self._environment.write_stderr(self._mask(text))
        try:
            insight.write_files(timings)
        except BuildctlError as error:
            if self._failure is None:
                raise
            logger.warning("%s", error)  # why the build failed is worth more


def _open_trace(path: str) -> TraceFile:
    from buildctl.cli.tracefile import TraceFile

    logger.info("tracing logs to %s", path)
    return TraceFile(path, open_file(path, os.O_APPEND))


def _open_session_log(path: str, environment: Environment) -> SessionLog:
    from buildctl.cli.sessionlog import SessionLog

    return SessionLog(path, open_file(path, os.O_APPEND), environment.now_ns)
