"""A daemon that says or asks for more than a build has: memory stays within bounds, CPU time in proportion.

Each flood is a process of its own, once at a size and once at three times that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb.auth_pb2 import CredentialsRequest, FetchTokenRequest, GetTokenAuthorityRequest
from buildctl._pb.content_pb2 import ReadContentRequest
from buildctl._pb.secrets_pb2 import GetSecretRequest
from tests.hostile.case import MAX_MEMORY, Ended, lay_out, run_arguments, run_program
from tests.hostile.conftest import Measured
from tests.hostile.test_floods import asks_for_files, lists, says_what_means_nothing
from tests.support import flood_messages as said
from tests.support.hostile_daemon import HostileDaemon, RefusedError, Script, hostile_daemon
from tests.support.scripted_daemon import STATUS, Answer, Build, scripted_daemon

SECONDS = 300.0
TIMES = 3
"""How many times the first size the second is."""
SLACK = 1.4
"""CPU time that grows with the square would come to three times what the proportion allows."""
SLACK_SECONDS = 1.5

DU, PRUNE, HISTORY = "Control/DiskUsage", "Control/Prune", "Control/ListenBuildHistory"
LAYOUT = "type=oci,tar=false,dest=out"
RECORDED = ("--log-dir", "logs", "--timeline", "t.html", "--events", "e.jsonl", "--timings", "t.json")


async def build_of(messages: Iterable[bytes], work: Path, flags: Sequence[str]) -> Ended:
    """A build of which the daemon says all this."""
    build = Build()

    async def status(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number, message in enumerate(messages):
            yield message
            if number % 50 == 0:
                await asyncio.sleep(0)
        await build.solved.wait()

    build.answers[STATUS] = status
    async with scripted_daemon(work / "s", build.answers):
        return await run_program(work, work / "s", "", "--stall-timeout", "0", extra=flags, seconds=SECONDS)


async def command_of(answers: dict[str, Answer], work: Path, arguments: Sequence[str]) -> Ended:
    async with scripted_daemon(work / "s", answers):
        return await run_arguments(work, "--addr", f"unix://{work / 's'}", *arguments, seconds=SECONDS)


@dataclass(frozen=True)
class Flood:
    """What a daemon does `size` times, and the exit status that this ends with."""

    name: str
    size: int
    run: Callable[[int, Path], Any]
    exit: int = 0
    long: bool = True


def statuses(
    name: str, size: int, flood: Callable[[int], Iterable[bytes]], *flags: str, **more: Any
) -> Flood:
    return Flood(name, size, lambda count, work: build_of(flood(count), work, flags), **more)


def answer(
    name: str, size: int, path: str, flood: Callable[[int], Any], *arguments: str, **more: Any
) -> Flood:
    """A command other than `build`, whose one call is answered so."""

    async def answered(count: int, work: Path) -> Ended:
        async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
            made = flood(count)
            for message in [made] if isinstance(made, bytes) else made:
                yield message

        return await command_of({path: stream}, work, arguments)

    return Flood(name, size, answered, **more)


def calls(name: str, size: int, path: str, ask: Callable[[int], bytes], *metadata: tuple[str, str]) -> Flood:
    """Calls on the session, some at a time, each granted or not."""

    async def called(count: int, work: Path) -> Ended:
        async def script(daemon: HostileDaemon) -> None:
            async def some(first: int) -> None:
                for number in range(first, count, 20):
                    with contextlib.suppress(RefusedError):
                        await daemon.ask(path, ask(number), metadata=metadata)

            await asyncio.gather(*(some(first) for first in range(20)))

        async with hostile_daemon(work, script, SECONDS):
            output = LAYOUT if metadata else ""
            return await run_program(work, work / "daemon.sock", output, seconds=SECONDS)

    return Flood(name, size, called)


def transfers(name: str, size: int, script: Callable[[int], Script], **more: Any) -> Flood:
    """A file transfer that the daemon makes long."""

    async def sent(count: int, work: Path) -> Ended:
        async with hostile_daemon(work, script(count), SECONDS):
            return await run_program(work, work / "daemon.sock", "type=local,dest=out", seconds=SECONDS)

    return Flood(name, size, sent, **more)


def secret(number: int) -> bytes:
    return GetSecretRequest(ID="offered" if number % 2 else f"{'s' * 1000}{number}").SerializeToString()


def account(number: int) -> bytes:
    return CredentialsRequest(Host=f"{'h' * 200}{number}.example").SerializeToString()


def token(number: int) -> bytes:
    return FetchTokenRequest(
        Host=f"{'h' * 200}{number}.example", Realm=f"http://127.0.0.1:1/{number}", Scopes=["s" * 100]
    ).SerializeToString()


def authority(number: int) -> bytes:
    return GetTokenAuthorityRequest(Host=f"{number}.example", Salt=b"salt").SerializeToString()


def blob(number: int) -> bytes:
    return ReadContentRequest(digest=f"sha256:{number:064x}").SerializeToString()


AUTH = "/moby.filesync.v1.Auth/"
FLOODS = [
    statuses("restarts of a step", 10_000, said.restarts, long=False),
    statuses("members of a progress group", 6_000, said.members, long=False),
    statuses("steps", 50_000, said.vertexes),
    statuses("steps, with every recording", 20_000, said.vertexes, *RECORDED),
    statuses("names of 64 KiB", 1_000, said.names),
    statuses("names of 64 KiB, with every recording", 1_000, said.names, *RECORDED),
    statuses("inputs", 300_000, said.inputs),
    statuses("inputs, with every recording", 300_000, said.inputs, *RECORDED),
    statuses("progress groups", 30_000, said.groups),
    statuses("counters of a step", 50_000, said.counters),
    statuses("counters of a step, with every recording", 50_000, said.counters, *RECORDED),
    statuses("warnings with a file of 64 KiB", 1_000, said.warnings),
    statuses("warnings with a file of 64 KiB, with every recording", 1_000, said.warnings, *RECORDED),
    statuses("log lines", 200_000, said.logs),
    statuses("log lines, with every recording", 100_000, said.logs, *RECORDED),
    statuses("logs of steps never announced", 50_000, said.logs_of_nobody),
    statuses("logs of steps never announced, with every recording", 20_000, said.logs_of_nobody, *RECORDED),
    answer("records of `du`", 20_000, DU, said.usage, "du"),
    answer("records of `du --verbose`", 20_000, DU, said.usage, "du", "--verbose"),
    answer("records of `prune`", 30_000, PRUNE, said.pruned, "prune"),
    answer("builds of `debug histories`", 20_000, HISTORY, said.history, "debug", "histories"),
    answer("builds of `debug monitor`", 20_000, HISTORY, said.history, "debug", "monitor", exit=1),
    transfers("files of an export listed", 100_000, lists, exit=1),
    transfers("files asked for that are not there", 1_000_000, asks_for_files, exit=1),
    transfers("packets that mean nothing", 1_000_000, says_what_means_nothing),
    calls("secrets asked for", 3_000, "/moby.buildkit.secrets.v1.Secrets/GetSecret", secret),
    calls("accounts asked for", 3_000, f"{AUTH}Credentials", account),
    calls("tokens asked for", 1_000, f"{AUTH}FetchToken", token),
    calls("token authorities asked for", 1_000, f"{AUTH}GetTokenAuthority", authority),
    calls(
        "blobs asked for",
        3_000,
        "/containerd.services.content.v1.Content/Read",
        blob,
        ("buildkit-attachable-store-id", "export"),
    ),
]


def by_name(flood: Flood) -> str:
    return flood.name


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("flood", [flood for flood in FLOODS if not flood.long], ids=by_name)
async def test_floods(flood: Flood, tmp_path: Path) -> None:
    await stay_in_bounds(flood, flood.size // 3, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(2 * SECONDS + 60)
@pytest.mark.parametrize("flood", FLOODS, ids=by_name)
async def test_floods_of_every_kind(flood: Flood, tmp_path: Path, measured: Measured) -> None:
    for size, ended in await stay_in_bounds(flood, flood.size, tmp_path):
        measured(flood.name, size, ended)


async def stay_in_bounds(flood: Flood, size: int, folder: Path) -> list[tuple[int, Ended]]:
    """Both sizes; what is too large, too slow or out of proportion fails."""
    runs: list[tuple[int, Ended]] = []
    for count in (size, size * TIMES):
        (folder / str(count)).mkdir()
        work, _ = lay_out(folder / str(count))
        ended = await flood.run(count, work)
        if os.environ.get("BUILDCTL_SHOW"):
            print(f"{flood.name} {count} {ended.memory / 1e6:.0f} MB {ended.cpu_seconds:.1f} s {ended.exit}")
        assert ended.exit == flood.exit, ended.stderr[-500:]
        assert "Traceback" not in ended.stderr
        assert ended.memory < MAX_MEMORY
        runs.append((count, ended))
    few, many = (ended.cpu_seconds for _, ended in runs)
    assert many < TIMES * SLACK * few + SLACK_SECONDS
    return runs
