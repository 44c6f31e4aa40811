"""A build's trace as a real daemon records it: below the caller's span, this program's own spans in it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.collector import grpc_collector
from tests.support.engines import Engine
from tests.support.program import run

pytestmark = pytest.mark.daemon

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def build_trace(engine: Engine, folder: Path, **variables: str) -> list[dict[str, Any]]:
    """Run a build within the trace; the spans of its record, once the daemon has written them down."""
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    address = ("--addr", f"docker://{engine.socket}")
    flags = (
        "--frontend",
        "dockerfile.v0",
        "--local",
        "context=.",
        "--local",
        "dockerfile=.",
        "--ref-file",
        "ref",
    )
    parent = {"TRACEPARENT": f"00-{TRACE}-{SPAN}-01"}
    ran = run(*address, "build", *flags, cwd=folder, variables={**parent, **variables})
    assert ran.exit == 0, ran.stderr
    ref = (folder / "ref").read_text()
    deadline = time.monotonic() + 20
    while (told := run(*address, "debug", "logs", "--trace", ref, cwd=folder)).exit:
        assert "does not have trace" in told.stderr
        assert time.monotonic() < deadline, "the daemon has recorded no trace"
        time.sleep(0.3)
    return parse(told.stdout)


def parse(text: str) -> list[dict[str, Any]]:
    """Go's encoder writes one object after the other."""
    decoder, spans, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        span, at = decoder.raw_decode(text, at)
        spans.append(span)
    return spans


def service(span: dict[str, Any]) -> str:
    names = [one["Value"]["Value"] for one in span["Resource"] if one["Key"] == "service.name"]
    return str(names[0])


def test_the_daemon_s_spans_are_below_the_caller_s(engine_26: Engine, tmp_path: Path) -> None:
    spans = build_trace(engine_26, tmp_path)
    assert {span["SpanContext"]["TraceID"] for span in spans} == {TRACE}
    assert {service(span) for span in spans} == {"dockerd"}
    called = {span["Name"] for span in spans if span["Parent"]["SpanID"] == SPAN}
    assert called >= {f"moby.buildkit.v1.Control/{method}" for method in ("ListWorkers", "Solve", "Session")}


def test_the_daemon_records_this_program_s_spans_too(engine_26: Engine, tmp_path: Path) -> None:
    with grpc_collector() as (collector, url):
        spans = build_trace(engine_26, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    ours = {span["SpanContext"]["SpanID"]: span for span in spans if service(span) == "buildctl"}
    (command,) = (span for span in ours.values() if span["Parent"]["SpanID"] == SPAN)
    assert command["Name"] == "build"
    assert {received.span_id for received in collector.received} == set(ours)
    (solve,) = (span for span in ours.values() if span["Name"] == "moby.buildkit.v1.Control/Solve")
    answered = [span for span in spans if span["Parent"]["SpanID"] == solve["SpanContext"]["SpanID"]]
    assert [service(span) for span in answered] == ["dockerd"]
