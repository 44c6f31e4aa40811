"""Which exporter of traces the environment selects, by the variables that the reference reads.

Rules and words: util/tracing/detect of BuildKit, and opentelemetry.io/docs/specs/otel/protocol/exporter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from buildctl.errors import UsageError

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))  # strconv.ParseBool
_OTLP = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_JAEGER = ("JAEGER_TRACE", "OTEL_EXPORTER_JAEGER_AGENT_HOST", "OTEL_EXPORTER_JAEGER_ENDPOINT")
_NO_JAEGER = "Jaeger's own protocol is not spoken; it takes OTLP too: set OTEL_EXPORTER_OTLP_ENDPOINT"


class Selection(NamedTuple):
    """The exporter that is wanted."""

    protocol: str = ""
    """OTLP's `grpc` or `http/protobuf`; empty where nothing is to be exported."""
    problem: str = ""
    """Why nothing can be exported although it is wanted."""
    quiet: bool = False
    """Whether problems are to be ignored (OTEL_IGNORE_ERROR)."""


def select_exporter(environ: Mapping[str, str]) -> Selection:
    """What the environment selects. Raises `UsageError` for what nobody can export to."""
    if (
        environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    ):  # opentelemetry.io/docs/specs/otel/configuration
        return Selection()
    quiet = environ.get("OTEL_IGNORE_ERROR", "") in _TRUE
    try:
        match _exporter(environ):
            case "otlp":
                return Selection(_protocol(environ), quiet=quiet)
            case "jaeger":
                return Selection(problem=_NO_JAEGER, quiet=quiet)
    except UsageError:
        if not quiet:
            raise
    return Selection(quiet=quiet)


def _exporter(environ: Mapping[str, str]) -> str:
    if name := environ.get("OTEL_TRACES_EXPORTER", ""):
        if name not in ("otlp", "jaeger", "none"):
            raise UsageError(
                f"unsupported opentelemetry exporter {name}", hint="OTEL_TRACES_EXPORTER: otlp or none"
            )
        return name
    if any(environ.get(variable) for variable in _OTLP):
        return "otlp"
    return "jaeger" if any(environ.get(variable) for variable in _JAEGER) else "none"


def _protocol(environ: Mapping[str, str]) -> str:
    variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((value for name in variables if (value := environ.get(name))), "grpc")
    if protocol not in ("grpc", "http/protobuf"):
        raise UsageError(f"unsupported otlp protocol {protocol}", hint="use grpc or http/protobuf")
    return protocol
