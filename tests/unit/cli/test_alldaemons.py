"""`--all-daemons`: what every daemon says, with its address, and what becomes of one that is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from buildctl._pb import control_pb2
from tests.support.program import Ran, run
from tests.support.scripted_daemon import scripted_daemon


async def info(request: bytes, context: Any) -> Message:
    return control_pb2.InfoResponse(buildkitVersion={"package": "p", "version": "v1", "revision": "r"})


async def disk_usage(request: bytes, context: Any) -> Message:
    return control_pb2.DiskUsageResponse(record=[{"ID": "x", "Size": 1000}])


async def prune(request: bytes, context: Any) -> Any:
    yield control_pb2.UsageRecord(ID="x", Size=1000)


async def workers(request: bytes, context: Any) -> Message:
    return control_pb2.ListWorkersResponse(
        record=[{"ID": "w", "platforms": [{"OS": "linux", "Architecture": "amd64"}]}]
    )


async def history(request: bytes, context: Any) -> Any:
    yield control_pb2.BuildHistoryEvent(record={"Ref": "ref"})


ANSWERS: Any = {
    "Control/Info": info,
    "Control/DiskUsage": disk_usage,
    "Control/Prune": prune,
    "Control/ListWorkers": workers,
    "Control/ListenBuildHistory": history,
}


async def asked(tmp_path: Path, *command: str, names: str = "ab", served: str = "ab") -> Ran:
    async with contextlib.AsyncExitStack() as stack:
        for name in served:
            await stack.enter_async_context(scripted_daemon(tmp_path / name, ANSWERS))
        address = ",".join(f"unix://{tmp_path}/{name}" for name in names)
        return await asyncio.to_thread(run, "--addr", address, *command, "--all-daemons", cwd=tmp_path)


async def test_a_column_says_which(tmp_path: Path) -> None:
    a, b = f"unix://{tmp_path}/a", f"unix://{tmp_path}/b"
    for command, title in (
        (("du",), "ID"), (("prune",), "ID"), (("debug", "workers"), "ID"), (("debug", "histories"), "TYPE"),
    ):  # fmt: skip
        ran = await asked(tmp_path, *command)
        assert ran.exit == 0, ran.stderr
        assert ran.stderr == ""
        lines = ran.stdout.splitlines()
        assert lines[0].split()[:2] == ["DAEMON", title]
        assert [line.split()[0] for line in lines[1:3]] == [a, b]
    assert "Total:\t2" in (await asked(tmp_path, "prune")).stdout.replace("\t\t", "\t")
    lines = (await asked(tmp_path, "debug", "info")).stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("Daemon:")] == [a, b]


async def test_templates_get_it_too(tmp_path: Path) -> None:
    ran = await asked(tmp_path, "du", "--format", "json")
    assert [(one["daemon"], one["answer"][0]["id"]) for one in json.loads(ran.stdout)] == [
        (f"unix://{tmp_path}/a", "x"),
        (f"unix://{tmp_path}/b", "x"),
    ]
    ran = await asked(tmp_path, "prune", "--format", "{{.Daemon}} {{.Answer.ID}}")
    assert ran.stdout == f"unix://{tmp_path}/a x\nunix://{tmp_path}/b x\n"


async def test_one_that_is_gone_fails_the_command_after_the_others(tmp_path: Path) -> None:
    ran = await asked(tmp_path, "du", names="ac", served="a")
    assert ran.exit == 1
    assert f"unix://{tmp_path}/a" in ran.stdout
    assert f"unix://{tmp_path}/c: " in ran.stderr
    assert ran.stderr.endswith("error: 1 of the daemons did not answer\n")


async def test_without_it_one_is_taken_and_nothing_is_said(tmp_path: Path) -> None:
    async with scripted_daemon(tmp_path / "a", ANSWERS):
        address = f"unix://{tmp_path}/a,unix://{tmp_path}/a"
        ran = await asyncio.to_thread(run, "--addr", address, "debug", "workers", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")
    assert ran.stdout.startswith("ID\tPLATFORMS\n")


async def test_what_is_made_for_one_daemon_alone_is_refused_before_any_is_asked(tmp_path: Path) -> None:
    for command in (("prune", "--dry-run"), ("du", "--tree")):
        ran = await asked(tmp_path, *command, served="")
        assert ran.exit == 1
        assert "one daemon" in ran.stderr or "goes with" in ran.stderr
