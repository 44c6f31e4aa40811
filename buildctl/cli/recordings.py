"""What is written of a build besides its display: a trace, cache metrics, where its time went, warnings."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from buildctl.cli.environment import Environment, write_all
from buildctl.cli.outfile import open_file, write_failure
from buildctl.cli.output import Output
from buildctl.cli.transfers import warnings
from buildctl.errors import BuildctlError

if TYPE_CHECKING:
    from buildctl.cli.eventfile import EventFile
    from buildctl.cli.insight import Insight
    from buildctl.cli.linefile import LineFile
    from buildctl.cli.logfolder import LogFolder
    from buildctl.cli.metrics import CacheMetrics
    from buildctl.cli.sessionlog import SessionLog
    from buildctl.cli.tracefile import TraceFile
    from buildctl.model.solve import OnUnreadable, SolveOpt, SolveResult
    from buildctl.model.status import SolveStatus
    from buildctl.model.transfer import Transfer
    from buildctl.session.observed import RequestSink

logger = logging.getLogger(__name__)


class Recordings:
    """Those of one build: `async with` them while it runs, and `report` at its end."""

    def __init__(
        self,
        output: Output,
        *,
        trace: str,
        metrics: str,
        session_log: str = "",
        insight: Insight | None = None,
        events: str = "",
        log_dir: str = "",
    ) -> None:
        """Open the files that are asked for. Raises `BuildctlError`."""
        environment = output.environment
        self._output = output
        self._events = _open_events(events, environment.stdout) if events else None
        self._log_dir = log_dir
        self._log_folder: LogFolder | None = None
        self._ref = ""
        self._result: SolveResult | None = None
        self._environment = environment
        self._insight = insight
        self._ended_ns: int | None = None
        self._failure: BaseException | None = None
        self._reported = False
        self._began_ns = environment.now_ns()
        self._transfers: list[Transfer] = []
        self._trace = _open_trace(trace) if trace else None
        self._session_log = _open_session_log(session_log, environment) if session_log else None
        self._metrics = _cache_metrics() if metrics else None
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
        recorders = (self._trace, self._metrics, self._insight, self._events, self._log_folder)
        return tuple(recorder.update for recorder in recorders if recorder is not None)

    def begin(self, opt: SolveOpt) -> None:
        """Make what is wanted of this build alone. Raises `BuildctlError`."""
        self._ref = opt.ref
        if self._events is not None:
            from buildctl.cli.eventfile import refuse_stdout

            refuse_stdout(self._events, opt, self._environment.stdout)
        if self._log_dir:
            from buildctl.cli.logfolder import LogFolder

            self._log_folder = LogFolder(self._log_dir, opt.ref, self._began_ns)
        for channel in self._channels:
            channel.begin(opt.ref, self._began_ns)

    def note_transfer(self, transfer: Transfer) -> None:
        """Keep what a transfer of a local directory did until the end."""
        self._transfers.append(transfer)
        for channel in self._channels:
            channel.note_transfer(transfer)

    def note_result(self, result: SolveResult) -> None:
        """Keep what the build answered for the last event."""
        self._result = result

    @contextlib.contextmanager
    def concluded(self) -> Iterator[None]:
        """Write how the block ends as the last event."""
        try:
            yield
        except BaseException as error:
            self._conclude(error)
            raise
        self._conclude(None)

    @property
    def _interrupted(self) -> bool:
        import asyncio

        return isinstance(self._failure, asyncio.CancelledError)

    @property
    def _channels(self) -> list[EventFile]:
        inside = None if self._log_folder is None else self._log_folder.events
        return [channel for channel in (self._events, inside) if channel is not None]

    def _conclude(self, error: BaseException | None) -> None:
        channels = self._channels
        if not channels:
            return
        from buildctl.progress.events import encode_failure, encode_success

        times = {"began_ns": self._began_ns, "now_ns": self._environment.now_ns()}
        if error is None and self._result is not None:
            response = masked_response(self._output, self._result)
            result = encode_success(self._result, exporter_response=response, **times)
        else:
            ended = error or BuildctlError("the build has no result")
            result = encode_failure(
                ended, self._ref, canceled=self._interrupted, mask=self._output.mask, **times
            )
        for channel in channels:
            channel.end(result)

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
        if self._log_folder is not None:
            self._log_folder.close()
        if not self._reported:
            self._output.say(self._report(on_unreadable))
        if self._insight is not None and self._ended_ns is not None:
            self._write_insight(self._insight, self._ended_ns)
        if self._metrics is None:
            return
        took_ms = (self._environment.now_ns() - self._began_ns) // 1_000_000
        try:
            self._write_metrics(self._metrics.report(took_ms))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_failure(self._metrics_name, error) from None

    def _write_metrics(self, report: bytes) -> None:
        if self._metrics_file == self._environment.stdout:
            self._output.write(report)
        elif self._metrics_file == self._environment.stderr:
            self._output.say(report.decode("utf-8", "surrogateescape"))
        else:
            write_all(self._metrics_file, report)

    def take_report(self, failure: BaseException, *, on_unreadable: OnUnreadable) -> str:
        """What `report` would tell after a failure, which it does not any more."""
        self._failure, self._ended_ns = failure, self._environment.now_ns()
        self._reported = True
        return self._output.clean(self._report(on_unreadable))

    def _report(self, on_unreadable: OnUnreadable) -> str:
        text = ""
        if self._log_folder is not None and self._failure is not None:
            text += f"logs: {self._log_folder.path}\n"
        if self._insight is not None and self._ended_ns is not None:
            timings = self._insight.timings(end_ns=self._ended_ns)
            if timings is not None and self._insight.speaks(timings, interrupted=self._interrupted):
                stderr = self._environment.stderr
                failed = self._failure is not None
                text += self._insight.summary(
                    timings, self._transfers, self._environment, stderr, failed=failed
                )
        return text + "".join(warnings(self._transfers, on_unreadable))

    def _write_insight(self, insight: Insight, ended_ns: int) -> None:
        try:
            insight.write_files(insight.timings(end_ns=ended_ns))
        except BuildctlError as error:
            if self._failure is None:
                raise
            logger.warning("%s", error)  # why the build failed is worth more


def masked_response(output: Output, result: SolveResult) -> dict[str, str]:
    """What the exporters answered, without secrets."""
    return {output.mask(key): output.mask(value) for key, value in result.exporter_response.items()}


def _cache_metrics() -> CacheMetrics:
    from buildctl.cli.metrics import CacheMetrics

    return CacheMetrics()


def _open_events(target: str, stdout: int) -> EventFile:
    from buildctl.cli.eventfile import open_events

    return open_events(target, stdout)


def _open_trace(path: str) -> TraceFile:
    from buildctl.cli.tracefile import TraceFile

    logger.info("tracing logs to %s", path)
    return TraceFile(path, open_file(path, os.O_APPEND))


def _open_session_log(path: str, environment: Environment) -> SessionLog:
    from buildctl.cli.sessionlog import SessionLog

    return SessionLog(path, open_file(path, os.O_APPEND), environment.now_ns)
