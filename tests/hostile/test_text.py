"""A daemon whose every text is an attack on the terminal, or on the CI service, that reads what is printed.

All strings of all its answers are the same words, so a command that is added is tried by adding its line.
"""

from __future__ import annotations

import contextlib
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
            assert field.message_type is not None
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


def record() -> Any:
    event: Any = filled(control_pb2.BuildHistoryEvent())
    event.record.pinned = False
    return event


def status() -> Any:
    answer: Any = filled(control_pb2.StatusResponse())
    (vertex,), (counter,), (log,), (warning,) = answer.vertexes, answer.statuses, answer.logs, answer.warnings
    vertex.digest = counter.vertex = log.vertex = warning.vertex = "sha256:" + "1" * 64
    del vertex.inputs[:]
    vertex.ClearField("progressGroup")
    log.stream = 1
    return answer


class Daemon(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """Answers every call with its words; refuses those that are named."""

    def __init__(self, *refused: str) -> None:
        self._refused = refused

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
        return unary(fail, None, encode) if name in self._refused else answers.get(name)


def encode(message: Message) -> bytes:
    return message.SerializeToString()


def fail(request: bytes, context: grpc.ServicerContext) -> Message:
    context.abort(grpc.StatusCode.UNAVAILABLE, WORDS.replace("\n", " \n"))
    raise AssertionError


@contextlib.contextmanager
def served(daemon: Daemon, folder: Path) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(8), handlers=[daemon])
    server.add_insecure_port(f"unix://{folder}/d.sock")
    server.start()
    try:
        yield f"unix://{folder}/d.sock"
    finally:
        server.stop(0).wait()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(Daemon(), tmp_path_factory.mktemp("daemon")) as address:
        yield address


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


SOON = [
    command if number % 2 == len(COMMANDS) % 2 else pytest.param(command, marks=pytest.mark.long)
    for number, command in enumerate(COMMANDS)
]


@pytest.mark.parametrize("command", SOON, ids=lambda command: " ".join(command)[:40])
def test_nothing_is_a_command_of_the_ci_service(
    address: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    ran = run("--addr", address, *command, cwd=tmp_path, variables={"GITLAB_CI": "true"})
    for text in (ran.stdout, ran.stderr):
        for name, reader in READERS.items():
            log = reader(text.replace("\r", "\n") if name == "gitlab" else text)
            assert (log.sections, log.other_commands) == ([], []), name
            assert log.annotations == [], name


def test_a_refusal_that_is_waited_out_steers_nothing(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with served(Daemon("Info", "ListWorkers"), tmp_path / "d") as address:
        flags = ("--addr", address, "--wait", "--timeout=2", "du")
        shown = run_in_terminal(*flags, cwd=tmp_path).stdout
        assert "waiting for the daemon: " in shown
        assert all(c.isprintable() or c in "\n\t" for c in shown)
        ran = run(*flags[:4], "--debug", *flags[4:], cwd=tmp_path, variables={"TF_BUILD": "True"})
        assert "waiting for the daemon: " in ran.stderr
        assert READERS["azure"](ran.stderr).other_commands == []


def test_a_cell_does_not_end_its_row(address: str, tmp_path: Path) -> None:
    for command in (("du",), ("debug", "workers"), ("prune",)):
        lines = run_in_terminal("--addr", address, *command, cwd=tmp_path).stdout.splitlines()
        assert sum("::error::" in line for line in lines) <= 1  # a narrow window may cut it
        assert not any(line.lstrip().startswith("::") for line in lines)


def test_a_pipe_gets_the_daemon_s_bytes(address: str, tmp_path: Path) -> None:
    ran = run("--addr", address, "debug", "info", "--format", "{{.BuildkitVersion.Version}}", cwd=tmp_path)
    assert ran.stdout == WORDS + "\n"
