"""The trace that a command belongs to: what its calls say of it, and what is recorded of it, if anything is.

Without an exporter nothing is recorded, and calls name the caller's span, or one of a new trace, as their
parent. With one, the OpenTelemetry SDK records a span for the command and one below it for each call.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence

from buildctl.telemetry.selection import Selection
from buildctl.telemetry.traceparent import Metadata, given_context, new_context

_LOG = logging.getLogger(__name__)


class Trace:
    """The trace of one command. Records nothing; says to the daemon whatever it is given as `metadata`."""

    def __init__(self, metadata: Metadata = ()) -> None:
        self.metadata = metadata

    @contextlib.contextmanager
    def call(self, path: str) -> Iterator[Metadata]:
        """The headers of the call of a method, which takes as long as the block."""
        yield self.metadata

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """The command ends with the block, and as the block does. Of several blocks the first counts."""
        yield

    def spans(self) -> bytes:
        """What has been recorded, an ExportTraceServiceRequest of OTLP; empty where nothing has."""
        return b""

    def export(self) -> None:
        """Send what has been recorded to the selected exporter, in seconds at most; failures are ignored."""


def open_trace(
    selection: Selection, environ: Mapping[str, str], name: str, arguments: Sequence[str]
) -> Trace:
    """The trace of the command `name`; what keeps it from being recorded is logged as a warning."""
    parent = given_context(environ)
    problem = selection.problem
    if selection.protocol:
        try:
            from buildctl.telemetry.recording import RecordedTrace

            return RecordedTrace(selection.protocol, parent, name, arguments)
        except ImportError:
            problem = "OpenTelemetry is not installed; pip install 'buildctl[otel]'"
        except Exception as error:  # of the SDK, which reads more of the environment by itself
            problem = str(error)
    if problem and not selection.quiet:
        _LOG.warning("traces are not exported: %s", problem)
    return Trace((parent or new_context()).metadata)
