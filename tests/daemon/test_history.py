"""The build history on real BuildKits: listed, pinned, replayed, fetched, watched, deleted, pruned."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from buildctl import Client, parse_address
from tests.support.engines import Engine
from tests.support.program import COMMAND, Ran, environment, run, run_in_terminal

pytestmark = pytest.mark.daemon

DOCKERFILE = 'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "echo", "hello"]\n'
FLAGS = ("--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.", "--no-cache")
MORE = ("--opt", "force-network-mode=none", "--progress", "plain")
HEADER = "TYPE\tREF\tCREATED\tCOMPLETED\tGENERATION"


class Machine:
    """A folder to build, and the program at work on one engine."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.address = f"docker://{engine.socket}"
        self.folder = folder
        (folder / "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(engine.busybox, folder / "busybox")

    def __call__(self, *arguments: str) -> Ran:
        return run("--addr", self.address, *arguments, cwd=self.folder)

    def succeed(self, *arguments: str) -> str:
        ran = self(*arguments)
        assert (ran.exit, ran.stderr) == (0, "")
        return ran.stdout

    def fail(self, *arguments: str) -> str:
        ran = self(*arguments)
        assert (ran.exit, ran.stdout) == (1, "")
        return ran.stderr

    def build(self) -> str:
        """Build; returns the ref."""
        ran = self("build", *FLAGS, *MORE, "--ref-file", "ref")
        assert ran.exit == 0, ran.stderr
        return (self.folder / "ref").read_text()

    def history(self) -> list[list[str]]:
        """The cells of each row."""
        return [re.split("\t+", line) for line in self.succeed("debug", "histories").splitlines()[1:]]

    def records(self) -> dict[str, dict[str, object]]:
        """Each record by its ref, as JSON."""
        lines = self.succeed("debug", "histories", "--format", "json").splitlines()
        return {event["record"]["Ref"]: event["record"] for event in map(json.loads, lines)}

    def settle(self, ref: str) -> None:
        """Wait until the record is complete: the daemon adds the trace some seconds after the build, and
        then writes the whole record as it was when the build ended."""
        while "trace" not in self.records()[ref]:
            time.sleep(0.2)

    def digest(self, ref: str, blob: str) -> str:
        return str(self.records()[ref][blob]["digest"])  # type: ignore[index]


@pytest.fixture
def new(engine_26: Engine, tmp_path: Path) -> Iterator[Machine]:
    """On BuildKit 0.13, whose history is empty before and after."""
    machine = Machine(engine_26, tmp_path)
    machine.succeed("prune-histories")
    yield machine
    for ref in machine.records():
        machine.succeed("debug", "ctl", "--delete", ref)


@pytest.fixture
def old(engine_20: Engine, tmp_path: Path) -> Machine:
    """On BuildKit 0.8, which has no history."""
    return Machine(engine_20, tmp_path)


def test_an_empty_history(new: Machine) -> None:
    assert new.succeed("debug", "histories") == f"{HEADER}\tPINNED\n"
    assert new.succeed("prune-histories") == f"{HEADER}\n"


def test_a_build_is_listed_pinned_kept_and_pruned(new: Machine) -> None:
    ref = new.build()
    other = new.build()
    rows = new.history()
    assert {row[1] for row in rows} == {ref, other}
    assert all(row[0] == "COMPLETE" and row[5] == "" for row in rows)

    new.settle(ref)
    assert new.succeed("debug", "ctl", ref, "--pin") == ""
    assert {row[1]: row[5] for row in new.history()} == {ref: "*", other: ""}
    assert new.records()[ref]["pinned"] is True

    pruned = new.succeed("prune-histories")
    assert [line.split("\t")[1] for line in pruned.splitlines()[1:]] == [other]
    assert [row[1] for row in new.history()] == [ref]

    assert new.succeed("debug", "ctl", "--unpin", ref) == ""
    assert ref in new.succeed("prune-histories", "--format", "{{.Record.Ref}}")
    assert new.history() == []


def test_a_record_is_deleted(new: Machine) -> None:
    ref = new.build()
    new.settle(ref)
    assert new.succeed("debug", "ctl", "--delete", ref) == ""
    assert new.history() == []
    assert new.fail("debug", "ctl", "--delete", ref) == f'error: lease "ref_{ref}": not found\n'
    missing = f"error: failed to retrieve ref {ref}: file does not exist\n"
    assert new.fail("debug", "ctl", "--pin", ref) == missing


def test_logs_are_replayed(new: Machine) -> None:
    ref = new.build()
    text = new.succeed("debug", "logs", ref)
    assert "[2/2] RUN" in text
    assert " hello\n" in text
    lines = new.succeed("debug", "logs", "--progress", "rawjson", ref).splitlines()
    instants = [log["timestamp"] for line in map(json.loads, lines) for log in line.get("logs", ())]
    created = new.records()[ref]["CreatedAt"]["seconds"]  # type: ignore[index]
    (said,) = {datetime.fromisoformat(instant[:19] + "+00:00").timestamp() for instant in instants}
    assert 0 <= said - created < 30  # when it was said, not when it was replayed
    assert new.fail("debug", "logs", "nosuch") == (
        "error: rpc error: code = NotFound desc = no such job nosuch\n"
    )


def test_a_trace_is_shown(new: Machine) -> None:
    ref = new.build()
    without = f"error: ref {ref} does not have trace\n"
    if "trace" not in new.records()[ref]:  # which the daemon keeps some seconds after the build
        assert new.fail("debug", "logs", "--trace", ref) == without
    new.settle(ref)
    trace = new.succeed("debug", "logs", "--trace", ref)
    names = [span["Name"] for span in json.loads("[" + trace.replace("\n}\n{", "\n},\n{") + "]")]
    assert any("RUN" in name for name in names)
    digest = new.digest(ref, "trace")
    assert new.succeed("debug", "get", digest) == trace


async def test_blobs_are_fetched_whole(new: Machine) -> None:
    ref = new.build()
    digest = new.digest(ref, "logs")
    async with Client.connect(parse_address(new.address)) as client:
        blob = b"".join([data async for data in client.read_content(digest)])
        events = [event async for event in client.listen_build_history(ref, early_exit=True)]
    assert "sha256:" + hashlib.sha256(blob).hexdigest() == digest
    (record,) = [event.record for event in events]
    assert record is not None
    assert record.logs is not None
    assert (record.ref, record.logs.size_bytes) == (ref, len(blob))
    nothing = "sha256:" + "0" * 64
    assert new.fail("debug", "get", nothing) == (
        f"error: NotFound: rpc error: code = NotFound desc = content digest {nothing}: not found\n"
    )


def test_a_failed_build_says_why(new: Machine) -> None:
    (new.folder / "Dockerfile").write_text(DOCKERFILE + 'RUN ["/busybox", "false"]\n')
    assert new("build", *FLAGS, *MORE).exit == 1
    (record,) = new.records().values()
    error = record["error"]
    assert isinstance(error, dict)
    assert error["code"] == 2
    assert "exit code: 1" in error["message"]


def test_a_monitor_sees_builds_come_and_go(new: Machine) -> None:
    monitor = subprocess.Popen(
        [*COMMAND, "--addr", new.address, "debug", "monitor", "--completed"],
        env=environment(new.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert monitor.stdout is not None
    first = new.build()  # which it sees either as it happens or as what is recorded
    for line in monitor.stdout:
        if line == f"event: COMPLETE ref:{first}\n":
            break
    ref = new.build()
    seen = []
    for line in monitor.stdout:
        seen.append(line)
        if line.startswith("  trace: ") and f"event: COMPLETE ref:{ref}\n" in seen:
            break
    monitor.send_signal(signal.SIGINT)
    _, said = monitor.communicate(timeout=10)
    assert f"event: STARTED ref:{ref}\n" in seen
    assert any(line.startswith('  logs: media_type:"application/vnd.buildkit.status.v0"') for line in seen)
    assert said == "error: rpc error: code = Canceled desc = context canceled\n"
    assert monitor.returncode == 1


_NO_LISTEN = (
    "error: rpc error: code = Unimplemented desc = "
    "unknown method ListenBuildHistory for service moby.buildkit.v1.Control\n"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["debug", "histories"], _NO_LISTEN),
        (["debug", "histories", "--format", "json"], _NO_LISTEN),
        (["debug", "monitor"], _NO_LISTEN),
        (["debug", "logs", "--trace", "x"], _NO_LISTEN),
        (["prune-histories"], _NO_LISTEN),
        (["debug", "logs", "x"], "error: rpc error: code = Unknown desc = no such job x\n"),
        (
            ["debug", "ctl", "--pin", "x"],
            "error: Unimplemented: unknown method UpdateBuildHistory for service moby.buildkit.v1.Control\n",
        ),
        (
            ["debug", "get", "sha256:" + "0" * 64],
            "error: Unimplemented: unknown service containerd.services.content.v1.Content\n",
        ),
    ],
)
def test_a_daemon_without_a_history(arguments: list[str], message: str, old: Machine) -> None:
    assert old.fail(*arguments) == message


def test_metadata_of_a_stopped_daemon(engine: Engine, tmp_path: Path) -> None:
    place = "data/buildkit" if engine.buildkit.startswith("0.8") else "data/buildkit/containerd-overlayfs"
    (tmp_path / "work").mkdir()
    with Engine(engine.release) as own:
        Machine(own, tmp_path / "work").build()
        root = str((own.root / place).parent)
        running = run("debug", "dump-metadata", "--root", root, cwd=tmp_path)
        assert running.exit == 1
        assert running.stderr == "error: timeout\n"
        own.kill()
        (tmp_path / "state" / "worker").mkdir(parents=True)
        shutil.copy(own.root / place / "metadata_v2.db", tmp_path / "state" / "worker")
    ran = run("debug", "dump-metadata", "--root", "state", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")
    first, *lines = ran.stdout.splitlines()
    assert first == f"===== {os.path.join('state', 'worker', 'metadata_v2.db')} ====="
    assert 'bucket "_main":' in lines
    assert 'bucket "_index":' in lines
    assert any('"snapshot.createdAt"' in line or '"cache.createdAt"' in line for line in lines)
    assert any("local source for context" in line for line in lines)


def test_a_failed_build_is_replayed_with_its_error_and_at_its_pace(new: Machine) -> None:
    dockerfile = 'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "sh", "-c", "/busybox sleep 1.2; exit 3"]\n'
    (new.folder / "Dockerfile").write_text(dockerfile)
    built = new("build", *FLAGS, *MORE, "--ref-file", "ref")
    assert built.exit == 1
    told = built.stderr[built.stderr.index("Dockerfile:3\n----") :]
    ref = (new.folder / "ref").read_text()
    began = time.monotonic()
    ran = new("replay", "--progress", "plain", ref)
    assert time.monotonic() - began > 1.2
    assert (ran.exit, ran.stderr) == (1, told)
    assert "exit code: 3" in ran.stdout


def test_a_build_that_is_not_there_is_told_at_once(new: Machine) -> None:
    for arguments in (("debug", "logs", "nope"), ("debug", "logs", "--trace", "nope"), ("replay", "a" * 25)):
        began = time.monotonic()
        ran = run_in_terminal("--addr", new.address, *arguments, cwd=new.folder)
        assert time.monotonic() - began < 3  # 0.1 s for the daemon; it would wait 6
        assert ran.exit == 1
        assert f"no such job {arguments[-1]}" in ran.stdout
        assert "hint: buildctl debug histories lists the refs" in ran.stdout


def test_a_platform_that_the_daemon_cannot_run(new: Machine) -> None:
    (new.folder / "Dockerfile").write_text('FROM scratch\nCOPY busybox /\nRUN ["/busybox", "false"]\n')
    build = ("build", *FLAGS, "--opt", "force-network-mode=none")
    there = ("--addr", new.address)
    ran = run_in_terminal(*there, *build, "--opt", "platform=linux/s390x", cwd=new.folder)
    assert ran.exit == 1
    assert "not linux/s390x: install an emulator" in " ".join(ran.stdout.split())
    ran = run_in_terminal(*there, *build, cwd=new.folder)
    assert ran.exit == 1
    assert "emulator" not in ran.stdout
