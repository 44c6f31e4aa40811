"""The program's requests for caches and layouts: what the reference asked for with the same command lines.

Each line of requests.jsonl is a run in an empty folder with a Dockerfile. What the reference left there is
compared too; it makes folders that are only to be read, which this program does not.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb import control_pb2, gateway_pb2
from tests.support.program import COMMAND, environment
from tests.support.replay_server import replay_server

RECORDED = Path(__file__).with_name("requests.jsonl")
CASE = "build-ok"
KINDS: dict[str, Any] = {
    "/moby.buildkit.v1.Control/Solve": control_pb2.SolveRequest,
    "/moby.buildkit.v1.frontend.LLBBridge/Solve": gateway_pb2.SolveRequest,
    "/moby.buildkit.v1.Control/Status": control_pb2.StatusRequest,
}
ONLY_READ = {"nothere/", "c/", "lay/"}
"""Folders named by --import-cache and --oci-layout."""


def rows() -> list[Any]:
    found = []
    for line in RECORDED.read_text().splitlines():
        row = json.loads(line)
        typed = " ".join(row["argv"][1:])
        if "--addr" not in typed and re.search(r"(im|ex)port-cache|oci-layout|tar=", typed):
            found.append(pytest.param(row, id=typed.replace("--local context=. --local dockerfile=. ", "")))
    return found


def anonymous(method: str, metadata: Any, request: bytes | None) -> tuple[str, Any, Any]:
    """A call without its random ids, of a session the services without their order."""
    pairs = sorted((key, value) for key, value in metadata if key.endswith("grpc-method"))
    if method not in KINDS or request is None:
        return method, pairs, request or b""
    kind = KINDS[method]
    message = kind.FromString(request)
    for field in ("Ref", "Session"):
        if field in kind.DESCRIPTOR.fields_by_name:
            message.ClearField(field)
    return method, pairs, message


def recorded(row: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    calls = [
        (call["method"], call["metadata"], None if call["data"] is None else base64.b64decode(call["data"]))
        for call in row["calls"]
    ]
    return [anonymous(*call) for call in calls]


def relevant(calls: list[tuple[str, Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The calls that caches and layouts change."""
    return {
        method: (pairs, request)
        for method, pairs, request in calls
        if method in KINDS or method.endswith("/Session")
    }


@pytest.mark.parametrize("row", rows())
def test_requests_equal_the_recorded_ones(row: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    for name, text in row["files"].items():
        (folder / name).write_text(text)
    with replay_server(CASE, tmp_path / "s", speed=0) as server:
        ran = subprocess.run(
            [*COMMAND, "--addr", f"unix://{tmp_path / 's'}", *row["argv"]],
            cwd=folder,
            env=environment(folder, {"DOCKER_CONFIG": str(folder), **row["env"]}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=50,
        )
    assert ran.returncode == row["exit"], ran.stderr.decode()
    assert ran.stdout.decode() == row["stdout"]
    if row["stderr"] is not None:
        assert ran.stderr.decode() == row["stderr"].replace("$PWD", str(folder))
    asked = [anonymous(call.method, call.metadata, call.request) for call in server.received]
    assert relevant(asked) == relevant(recorded(row))
    known = {"Dockerfile", *row["files"]}
    left = {name + "/" * (folder / name).is_dir() for name in os.listdir(folder)} - known
    assert left == set(row["left"]) - ONLY_READ


def test_enough_command_lines_are_compared() -> None:
    assert len(rows()) >= 20
