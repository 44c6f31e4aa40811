"""The environment's choice of an exporter, in the reference's order and words."""

from __future__ import annotations

import pytest

from buildctl.errors import UsageError
from buildctl.telemetry.selection import Selection, select_exporter

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("variables", "protocol"),
    [
        ({}, ""),
        ({"OTEL_TRACES_EXPORTER": ""}, ""),
        ({"OTEL_TRACES_EXPORTER": "none", **ENDPOINT}, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "grpc"),
        (ENDPOINT, "grpc"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}, ""),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http/protobuf"),
        (
            {
                **ENDPOINT,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            },
            "grpc",
        ),
        ({**ENDPOINT, "JAEGER_TRACE": "127.0.0.1:6831"}, "grpc"),
    ],
)
def test_what_is_selected(variables: dict[str, str], protocol: str) -> None:
    selection = select_exporter(variables)
    assert selection.protocol == protocol
    assert selection.problem == ""


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "unsupported opentelemetry exporter zipkin"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "unsupported otlp protocol http/json"),
    ],
)
def test_what_nobody_can_export_to(variables: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select_exporter(variables)
    assert str(caught.value) == message
    with pytest.raises(UsageError):
        select_exporter({**variables, "OTEL_IGNORE_ERROR": "yes"})  # no boolean of Go's
    assert select_exporter({**variables, "OTEL_IGNORE_ERROR": "t"}).protocol == ""


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "jaeger"},
        {"JAEGER_TRACE": "127.0.0.1:6831"},
        {"OTEL_EXPORTER_JAEGER_ENDPOINT": "http://127.0.0.1:14250"},
        {"OTEL_EXPORTER_JAEGER_AGENT_HOST": "127.0.0.1"},
    ],
)
def test_jaeger_is_told_to_take_otlp(variables: dict[str, str]) -> None:
    selection = select_exporter(variables)
    assert selection.protocol == ""
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in selection.problem


@pytest.mark.parametrize("value", ["true", "TRUE", "True"])
def test_a_disabled_sdk_exports_nothing_and_says_nothing(value: str) -> None:
    for wanted in ({"OTEL_TRACES_EXPORTER": "otlp"}, {"OTEL_TRACES_EXPORTER": "x"}, {"JAEGER_TRACE": "y"}):
        assert select_exporter({**wanted, "OTEL_SDK_DISABLED": value}) == Selection()


def test_other_values_disable_nothing() -> None:
    for value in ("", "1", "yes", "false"):
        selected = select_exporter({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": value})
        assert selected.protocol == "grpc"
