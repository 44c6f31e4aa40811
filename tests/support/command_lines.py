"""Command lines run in this process: what they ask a replayed daemon for, print and leave behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from buildctl._pb import control_pb2, gateway_pb2
from buildctl.cli.environment import Environment
from buildctl.cli.main import main
from tests.support.replay_server import replay_server

_CONTROL = "/moby.buildkit.v1.Control/"
_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
_REQUESTS: dict[str, type[Message]] = {
    _CONTROL + "DiskUsage": control_pb2.DiskUsageRequest,
    _CONTROL + "Prune": control_pb2.PruneRequest,
    _CONTROL + "ListWorkers": control_pb2.ListWorkersRequest,
    _CONTROL + "Info": control_pb2.InfoRequest,
    _CONTROL + "Solve": control_pb2.SolveRequest,
    _CONTROL + "Status": control_pb2.StatusRequest,
    _CONTROL + "ListenBuildHistory": control_pb2.BuildHistoryRequest,
    _CONTROL + "UpdateBuildHistory": control_pb2.UpdateBuildHistoryRequest,
    _BRIDGE + "Ping": gateway_pb2.PingRequest,
    _BRIDGE + "Solve": gateway_pb2.SolveRequest,
    _BRIDGE + "Return": gateway_pb2.ReturnRequest,
}
_RANDOM_FIELDS = ("Ref", "Session")
_OUR_KEY = "x-docker-expose-session-sharedkey"
"""Empty in the reference and not compared: docs/differences.md."""
_RANDOM_KEYS = ("x-docker-expose-session-uuid", "buildkit-controlapi-buildid")


@dataclass(frozen=True)
class Call:
    """A call as it is compared: random ids are told apart from missing ones and nothing more."""

    method: str
    metadata: tuple[tuple[str, str], ...]
    request: Message | None
    """None for a session."""

    @classmethod
    def of(cls, method: str, metadata: Sequence[Sequence[str]], data: bytes | None) -> Call:
        kept = [(key, value) for key, value in metadata if key != _OUR_KEY]
        pairs = [(key, f"<{len(value)}>" if key in _RANDOM_KEYS else value) for key, value in kept]
        request = None
        if data is not None:
            request = _REQUESTS[method].FromString(data)
            for field in _RANDOM_FIELDS:
                if field in request.DESCRIPTOR.fields_by_name:
                    setattr(request, field, f"<{len(getattr(request, field))}>")
        return cls(method, tuple(sorted(pairs)), request)


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    exit: int
    stdout: str
    stderr: str
    calls: list[Call]
    left: list[str]
    """What is in the folder that was not before, folders with a slash."""

    def request(self, method: str) -> Any:
        """The request of a method, which is named by the end of its path and was called once."""
        (call,) = (call for call in self.calls if call.method.endswith(method))
        return call.request

    @property
    def services(self) -> set[str]:
        """The methods that were offered to the daemon, without their packages."""
        (session,) = (call for call in self.calls if call.method.endswith("/Session"))
        key = "x-docker-expose-session-grpc-method"
        return {value.rpartition(".")[2] for name, value in session.metadata if name == key}


def recording(argv: Sequence[str]) -> str:
    """The recorded daemon (tests/golden/cases) that answers a command line."""
    text = " ".join(argv)
    for word, case in (
        ("requestid=frontend.lint", "build-lint"),
        ("check", "build-lint"),
        ("outline", "build-outline"),
        ("requestid=frontend.outline", "build-outline"),
        ("prune", "prune-all"),
        ("workers", "workers"),
        ("info", "info"),
        ("du", "du-filter"),
    ):
        if word in text.split():
            return case
    return "build-warnings"


def run_line(
    argv: Sequence[str],
    folder: Path,
    *,
    variables: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    own_address: bool = False,
    removed: bool = False,
) -> Outcome:
    """Run `buildctl ARGV` in an empty folder that gets a Dockerfile and `files`; the current one meanwhile.

    Standard input is /dev/null, or `stdin`; nothing is a terminal. With `own_address`, argv names the daemon.
    With `removed`, the folder is made and gone by the time that the program runs in it.
    """
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    before = set(os.listdir(folder))
    with (
        tempfile.TemporaryDirectory(prefix="row-", dir="/tmp") as scratch,
        replay_server(recording(argv), Path(scratch, "s"), speed=0) as server,
        Path(scratch, "in").open("w+b") as given,
        open(os.devnull, "rb") as nothing,
        Path(scratch, "out").open("w+b") as out,
        Path(scratch, "err").open("w+b") as err,
    ):
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "XDG_STATE_HOME": f"{scratch}/state",
            "DOCKER_CONFIG": str(folder),
            **(variables or {}),
        }
        if stdin is not None:
            given.write(stdin.encode() if isinstance(stdin, str) else stdin)
            given.seek(0)
        descriptor = (nothing if stdin is None else given).fileno()
        environment = Environment(environ, descriptor, out.fileno(), err.fileno())
        address = [] if own_address else ["--addr", f"unix://{scratch}/s"]
        came_from, mask = Path.cwd(), os.umask(0o022)
        os.chdir(folder)
        if removed:
            shutil.rmtree(folder)
        try:
            status = main([*address, *argv], environment)
        finally:
            os.chdir(came_from)
            os.umask(mask)
        out.seek(0)
        err.seek(0)
        stdout, stderr = (file.read().decode().replace(str(folder), "$PWD") for file in (out, err))
        folder.mkdir(exist_ok=True)
        calls = [Call.of(call.method, call.metadata, call.request) for call in server.received]
    left = sorted(name + "/" * (folder / name).is_dir() for name in set(os.listdir(folder)) - before)
    return Outcome(status, stdout, stderr, calls, left)
