"""The program's traces: what daemons and collectors get of them, and that they never stand in the way."""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.collector import Collector, Received, grpc_collector, http_collector
from tests.support.program import Ran, run
from tests.support.replay_server import ReplayServer, replay_server

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"TRACEPARENT": f"00-{TRACE}-{SPAN}-01"}
LIST_WORKERS = "moby.buildkit.v1.Control/ListWorkers"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def workers(daemon: Path, **variables: str) -> Ran:
    return run("--addr", f"unix://{daemon}", "debug", "workers", cwd=daemon.parent, variables=variables)


def asked(daemon: ReplayServer) -> list[str]:
    return [call.traceparent for call in daemon.calls("ListWorkers")]


def test_a_command_continues_the_caller_s_trace(place: Path) -> None:
    with replay_server("workers", place / "daemon.sock", speed=0) as daemon:
        assert workers(place / "daemon.sock", **PARENT).exit == 0
    assert asked(daemon) == [PARENT["TRACEPARENT"]]


def test_a_command_without_one_begins_a_trace(place: Path) -> None:
    with replay_server("workers", place / "daemon.sock", speed=0) as daemon:
        for _ in range(2):
            assert workers(place / "daemon.sock", TRACEPARENT="nonsense").exit == 0
    one, other = asked(daemon)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-03", one)
    assert one != other


def test_every_call_of_a_build_belongs_to_it(place: Path) -> None:
    with replay_server("build-ok", place / "daemon.sock", speed=0) as daemon:
        arguments = ("build", "--frontend", "dockerfile.v0", "--progress", "plain")
        ran = run("--addr", f"unix://{place}/daemon.sock", *arguments, cwd=place, variables=PARENT)
    assert ran.exit == 0
    assert {call.method.rpartition("/")[2] for call in daemon.received} >= {
        "Solve",
        "Status",
        "Session",
        "Return",
    }
    assert {call.traceparent for call in daemon.received} == {PARENT["TRACEPARENT"]}


def test_spans_are_exported_over_grpc_and_to_the_daemon(place: Path) -> None:
    at_daemon = Collector()
    with (
        grpc_collector() as (collector, url),
        replay_server("workers", place / "daemon.sock", at_daemon, speed=0) as daemon,
    ):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": "key=secret"}
        ran = workers(place / "daemon.sock", **PARENT, **variables)
    assert (ran.exit, ran.stderr) == (0, "")
    assert collector.headers[0]["key"] == "secret"
    for found in (collector.received, at_daemon.received):
        check_spans(found, asked(daemon))
    assert "traceparent" not in at_daemon.headers[0]


def check_spans(found: list[Received], sent: list[str]) -> None:
    spans = {received.name: received for received in found}
    assert set(spans) == {"debug", LIST_WORKERS}
    command, call = spans["debug"], spans[LIST_WORKERS]
    assert {command.trace_id, call.trace_id} == {TRACE}
    assert command.parent_id == SPAN
    assert call.parent_id == command.span_id
    assert sent == [f"00-{TRACE}-{call.span_id}-01"]
    assert command.service == "buildctl"
    assert command.attributes["command"][0] == "buildctl"  # type: ignore[index]
    assert command.attributes["command"][-2:] == ["debug", "workers"]  # type: ignore[index]
    assert call.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "moby.buildkit.v1.Control",
        "rpc.method": "ListWorkers",
        "rpc.grpc.status_code": 0,
    }


def test_spans_are_exported_over_http(place: Path) -> None:
    with http_collector() as (collector, url), replay_server("workers", place / "daemon.sock", speed=0):
        protocol = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        ran = workers(
            place / "daemon.sock", **protocol, OTEL_SERVICE_NAME="ci", OTEL_RESOURCE_ATTRIBUTES="a=b"
        )
    assert (ran.exit, ran.stderr) == (0, "")
    assert collector.headers[0]["path"] == "/v1/traces"
    assert {received.service for received in collector.received} == {"ci"}
    assert len({received.trace_id for received in collector.received}) == 1


def test_a_failed_command_is_a_failed_span(place: Path) -> None:
    with grpc_collector() as (collector, url):
        ran = workers(place / "nobody.sock", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    command = next(received for received in collector.received if received.name == "debug")
    assert ran.stderr == f"error: {command.span.status.message}\n"
    call = next(received for received in collector.received if received.name == LIST_WORKERS)
    assert call.attributes["rpc.grpc.status_code"] == 14


def test_an_unsampled_trace_is_not_exported(place: Path) -> None:
    with (
        grpc_collector() as (collector, url),
        replay_server("workers", place / "daemon.sock", speed=0) as daemon,
    ):
        parent = f"00-{TRACE}-{SPAN}-00"
        assert workers(place / "daemon.sock", TRACEPARENT=parent, OTEL_EXPORTER_OTLP_ENDPOINT=url).exit == 0
    assert collector.received == []
    assert [one.startswith(f"00-{TRACE}-") and one.endswith("-00") for one in asked(daemon)] == [True]


def test_a_collector_that_is_not_there_is_nobody_s_concern(place: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        replay_server("workers", place / "daemon.sock", speed=0),
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        ran = workers(place / "daemon.sock", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert (ran.exit, ran.stderr) == (0, "")
    assert time.monotonic() - began < 9


def test_an_unknown_exporter_fails_whatever_is_asked_for(place: Path) -> None:
    ran = run("--version", cwd=place, variables={"OTEL_TRACES_EXPORTER": "x"})
    assert (ran.exit, ran.stdout, ran.stderr) == (1, "", "error: unsupported opentelemetry exporter x\n")


@pytest.fixture
def without_the_extra(place: Path) -> dict[str, str]:
    """The variables of a program that finds no OpenTelemetry."""
    folder = place / "without"
    (folder / "opentelemetry").mkdir(parents=True)
    (folder / "opentelemetry" / "__init__.py").write_text("raise ModuleNotFoundError('opentelemetry')\n")
    (folder / "buildctl").symlink_to(Path(__file__).parents[3] / "buildctl")  # what is beside it counts
    return {"PYTHONPATH": str(folder)}


def test_a_missing_extra_is_said_and_does_no_harm(place: Path, without_the_extra: dict[str, str]) -> None:
    with replay_server("workers", place / "daemon.sock", speed=0) as daemon:
        wanted = {**without_the_extra, **PARENT, "OTEL_TRACES_EXPORTER": "otlp"}
        ran = workers(place / "daemon.sock", **wanted)
        quiet = workers(place / "daemon.sock", **wanted, OTEL_IGNORE_ERROR="1")
    assert ran.exit == 0
    assert re.fullmatch(
        r'time=\S+ level=warning msg="traces are not exported: OpenTelemetry is not installed; '
        r"pip install 'buildctl\[otel\]'\"\n",
        ran.stderr,
    )
    assert (quiet.exit, quiet.stderr) == (0, "")
    assert asked(daemon) == [PARENT["TRACEPARENT"]] * 2


def test_a_wrong_setting_of_the_sdk_is_said_and_does_no_harm(place: Path) -> None:
    with replay_server("workers", place / "daemon.sock", speed=0):
        variables = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}
        ran = workers(place / "daemon.sock", **variables)
    assert ran.exit == 0
    assert "level=warning" in ran.stderr
    assert "traces are not exported" in ran.stderr
    assert "soon" in ran.stderr
