"""Spans recorded by the OpenTelemetry SDK; only imported where an exporter is selected.

Names and attributes are those of the reference's spans (otelgrpc's for calls). The SDK and its exporters read
the OTEL_* variables by themselves: endpoint, headers, certificates, sampler, limits, resource.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from buildctl.errors import Code, RPCError
from buildctl.telemetry.trace import Trace
from buildctl.telemetry.traceparent import Metadata, TraceContext

_SERVICE = "buildctl"
_CANCELED = "context canceled"
_EXPORT_SECONDS = 5.0
_LIMIT = 4096
"""How many spans are kept; a build makes about ten."""


class RecordedTrace(Trace):
    """A trace with a span for the command and one for each of its calls."""

    def __init__(
        self, protocol: str, parent: TraceContext | None, name: str, arguments: Sequence[str]
    ) -> None:
        # Failures of exporters are nobody's concern here, as in the reference.
        logging.getLogger("opentelemetry").propagate = False
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        self._exporter = _make_exporter(protocol)
        self._finished = _Finished()
        service = OTELResourceDetector().detect().attributes.get(SERVICE_NAME, _SERVICE)
        provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), shutdown_on_exit=False)
        provider.add_span_processor(self._finished)
        self._tracer = provider.get_tracer(_SERVICE)
        above = _remote(parent) if parent else None
        self._command = self._tracer.start_span(name, above, attributes={"command": tuple(arguments)})
        self._ended = False
        super().__init__(_metadata(self._command))

    @contextlib.contextmanager
    def call(self, path: str) -> Iterator[Metadata]:
        service, _, method = path.removeprefix("/").rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        within = set_span_in_context(self._command)
        span = self._tracer.start_span(
            path.removeprefix("/"), within, kind=SpanKind.CLIENT, attributes=attributes
        )
        code = Code.OK
        try:
            yield _metadata(span)
        except BaseException as error:
            code = error.code if isinstance(error, RPCError) else Code.CANCELED
            span.set_status(Status(StatusCode.ERROR, str(error) or _CANCELED))
            raise
        finally:
            span.set_attribute("rpc.grpc.status_code", int(code))
            span.end()

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._end(str(error) or _CANCELED)
            raise
        self._end("")

    def _end(self, failure: str) -> None:
        if self._ended:
            return
        self._ended = True
        if failure:
            self._command.set_status(Status(StatusCode.ERROR, failure))
        self._command.end()

    def spans(self) -> bytes:
        spans = self._finished.spans
        return encode_spans(spans).SerializeToString() if spans else b""

    def export(self) -> None:
        if not self._finished.spans:
            return
        # An exporter tries again for as long as its own limits say, and does not always keep them.
        thread = threading.Thread(target=self._export, name="export traces", daemon=True)
        thread.start()
        with contextlib.suppress(KeyboardInterrupt):  # whoever is asked to leave does so now
            thread.join(_EXPORT_SECONDS)

    def _export(self) -> None:
        self._exporter.export(self._finished.spans)
        self._exporter.shutdown()


def _remote(context: TraceContext) -> Context:
    """The SDK's form of the caller's span."""
    parent = SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(context.flags),
        trace_state=TraceState.from_header([context.state]),
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _metadata(span: Span) -> Metadata:
    """The headers that name the span; none where the SDK is switched off (OTEL_SDK_DISABLED)."""
    context = span.get_span_context()
    if not context.is_valid:
        return ()
    trace_id, span_id = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return TraceContext(trace_id, span_id, context.trace_flags, context.trace_state.to_header()).metadata


class _Finished(SpanProcessor):
    """Keeps the spans that have ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        if len(self.spans) < _LIMIT:
            self.spans.append(span)


def _make_exporter(protocol: str) -> SpanExporter:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http import trace_exporter

    return trace_exporter.OTLPSpanExporter()
