"""An OpenTelemetry collector: takes traces over gRPC and HTTP on real sockets, and keeps the spans."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass(frozen=True)
class Received:
    """One span as it arrived."""

    service: str
    span: Span

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def span_id(self) -> str:
        return self.span.span_id.hex()

    @property
    def parent_id(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, object]:
        return _values(self.span.attributes)


class Collector(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """Keeps what is exported to it; as a handler it can also be part of a daemon."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.headers: list[dict[str, str]] = []

    def take(self, request: bytes) -> bytes:
        """One export, in OTLP's binary form."""
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans:
            service = str(_values(resource.resource.attributes).get("service.name"))
            for scope in resource.scope_spans:
                self.received += [Received(service, span) for span in scope.spans]
        return ExportTraceServiceResponse().SerializeToString()

    def service(self, details: Any) -> Any:
        if details.method != EXPORT:
            return None
        self.headers.append({pair[0]: pair[1] for pair in details.invocation_metadata})
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.take(request), None, None)


def _values(attributes: Any) -> dict[str, object]:
    return {pair.key: _value(pair.value) for pair in attributes}


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None


@contextlib.contextmanager
def grpc_collector() -> Iterator[tuple[Collector, str]]:
    """A collector that speaks gRPC, and its URL."""
    collector = Collector()
    pool = ThreadPoolExecutor(2)
    server = grpc.server(pool, handlers=[collector])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        pool.shutdown()


@contextlib.contextmanager
def http_collector() -> Iterator[tuple[Collector, str]]:
    """A collector that speaks HTTP with protobuf, and its URL."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.headers.append(
                {"path": self.path, **{key.lower(): value for key, value in self.headers.items()}}
            )
            answer = collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
