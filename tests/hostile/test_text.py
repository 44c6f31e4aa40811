"""A daemon whose every text is an attack on the terminal, or on the CI service, that reads what is printed.

All strings of all its answers are the same words, so a command that is added is tried by adding its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from buildctl._pb import content_pb2, control_pb2
from tests.support.ci_logs import READERS
from tests.support.program import run, run_in_terminal

WORDS = (
    "w\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x1b\\\x1b[2J\x1b[9A\x9b31m\u202e\u2066\u200b\x08\x7f\r\n::error::x\n"
)
WORDS += "##vso[task.setvariable variable=a]b\n##teamcity[x]\nsection_start:1:owned\r\x1b[0K\n"
WORDS += "--- owned\n\x1b[1m::add-mask::x"
REF = "a" * 25

COMMANDS = (
    ("du",),
    ("du", "--verbose"),
    ("du", "--format", "{{range .}}{{.ID}} {{.Description}}\n{{end}}"),
    ("prune",),
    ("prune", "--verbose"),
    ("prune", "--format", "{{.ID}}"),
    ("prune-histories",),
    ("debug", "workers"),
    ("debug", "workers", "--verbose"),
    ("debug", "workers", "--format", "{{range .}}{{.ID}}{{println}}{{end}}"),
    ("debug", "info"),
    ("debug", "info", "--format", "{{.BuildkitVersion.Version}}"),
    ("debug", "histories"),
    ("debug", "histories", "--format", "{{.Record.Ref}}"),
    ("debug", "monitor", "--completed"),
    ("debug", "logs", REF, "--progress=plain"),
    ("debug", "logs", REF, "--progress=grouped"),
    ("debug", "logs", REF, "--progress=errors"),
    ("debug", "logs", REF, "--progress=rawjson"),
    ("debug", "get", "sha256:" + "0" * 64),
    ("replay", "--speed=max", "--progress=plain", REF),
    ("timeline", REF),
    ("debug", "ctl", "--pin", "x"),
    ("--debug", "build", "--frontend=x", "--progress=plain", "--summary=true"),
    ("--debug", "--wait", "build", "--frontend=x", "--progress=errors", "--retries=1"),
    ("build", "--frontend=x", "--progress=quiet", "--opt=requestid=x"),
)


def filled(message: Message, depth: int = 3) -> Message:
    """The message with `WORDS` in every text, one of each repeated field, and times that make sense."""
    for field in message.DESCRIPTOR.fields:
        name = field.name
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            value = field.message_type.fields_by_name["value"]
            if value.type == value.TYPE_STRING:
                getattr(message, name)[WORDS if "FrontendOpt" not in name else "x"] = WORDS
        elif field.message_type is not None:
            if field.message_type.full_name == "google.protobuf.Timestamp":
                getattr(message, name).seconds = 1_700_000_000 + (name == "completed")
            elif depth:
                part = getattr(message, name)
                filled(part.add() if field.is_repeated else part, depth - 1)
        elif field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            text: Any = WORDS if field.type == field.TYPE_STRING else WORDS.encode()
            if field.is_repeated:
                getattr(message, name).append(text)
            else:
                setattr(message, name, text)
    return message


def record() -> Message:
    event: Any = filled(control_pb2.BuildHistoryEvent())
    event.record.pinned = False
    return event


def status() -> Message:
    answer: Any = filled(control_pb2.StatusResponse())
    (vertex,), (counter,), (log,), (warning,) = answer.vertexes, answer.statuses, answer.logs, answer.warnings
    vertex.digest = counter.vertex = log.vertex = warning.vertex = "sha256:" + "1" * 64
    del vertex.inputs[:]
    vertex.ClearField("progressGroup")
    log.stream = 1
    return answer


class Daemon(grpc.GenericRpcHandler):
    """Answers every call with its words."""

    def service(self, details: Any) -> Any:
        name = details.method.rpartition("/")[2]
        stream = grpc.unary_stream_rpc_method_handler
        unary = grpc.unary_unary_rpc_method_handler
        answers: dict[str, Any] = {
            "DiskUsage": unary(lambda *_: filled(control_pb2.DiskUsageResponse()), None, encode),
            "Prune": stream(lambda *_: iter([filled(control_pb2.UsageRecord())]), None, encode),
            "ListWorkers": unary(lambda *_: filled(control_pb2.ListWorkersResponse()), None, encode),
            "Info": unary(lambda *_: filled(control_pb2.InfoResponse()), None, encode),
            "ListenBuildHistory": stream(lambda *_: iter([record()]), None, encode),
            "Status": stream(lambda *_: iter([status()]), None, encode),
            "Read": stream(lambda *_: iter([filled(content_pb2.ReadContentResponse())]), None, encode),
            "Solve": unary(fail, None, encode),
            "UpdateBuildHistory": unary(fail, None, encode),
            "Session": grpc.stream_stream_rpc_method_handler(lambda *_: iter(())),
        }
        return answers.get(name)


def encode(message: Message) -> bytes:
    return message.SerializeToString()


def fail(request: bytes, context: grpc.ServicerContext) -> Message:
    context.abort(grpc.StatusCode.UNAVAILABLE, WORDS.replace("\n", " \n"))
    raise AssertionError


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    socket = tmp_path_factory.mktemp("daemon") / "d.sock"
    server = grpc.server(ThreadPoolExecutor(8), handlers=[Daemon()])
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    yield f"unix://{socket}"
    server.stop(0).wait()


OURS = re.compile(r"\x1b\[\d*m")
"""The colours of our own log lines, and of logs in a build's display."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:40])
def test_nothing_steers_the_terminal(address: str, command: tuple[str, ...], tmp_path: Path) -> None:
    shown = run_in_terminal("--addr", address, *command, cwd=tmp_path).stdout
    assert "w" in shown or "error: " in shown
    rest = OURS.sub("", shown)
    is_log = any("progress=plain" in word for word in command)  # which keeps what rewrites a line
    allowed = "\n\t\r" if is_log else "\n\t"
    assert [c for c in rest if not (c.isprintable() or c in allowed)] == []
    assert "Traceback" not in rest


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:40])
def test_nothing_is_a_command_of_the_ci_service(
    address: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    ran = run("--addr", address, *command, cwd=tmp_path, variables={"GITLAB_CI": "true"})
    for text in (ran.stdout, ran.stderr):
        for name, reader in READERS.items():
            log = reader(text.replace("\r", "\n") if name == "gitlab" else text)
            assert (log.sections, log.other_commands) == ([], []), name
            assert log.annotations == [], name


def test_a_cell_does_not_end_its_row(address: str, tmp_path: Path) -> None:
    for command in (("du",), ("debug", "workers"), ("prune",)):
        lines = run_in_terminal("--addr", address, *command, cwd=tmp_path).stdout.splitlines()
        assert sum("::error::" in line for line in lines) == 1
        assert not any(line.lstrip().startswith("::") for line in lines)


def test_a_pipe_gets_the_daemon_s_bytes(address: str, tmp_path: Path) -> None:
    ran = run("--addr", address, "debug", "info", "--format", "{{.BuildkitVersion.Version}}", cwd=tmp_path)
    assert ran.stdout == WORDS + "\n"
