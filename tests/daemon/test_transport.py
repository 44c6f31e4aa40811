"""Real daemons behind every transport that reaches one here, and throwaway ones that leave nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from buildctl._pb import control_pb2
from buildctl.errors import ConnectError
from buildctl.model.address import parse_address
from buildctl.transport.channel import Connection, open_connection
from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.packages import Release

pytestmark = pytest.mark.daemon


async def platforms(connection: Connection) -> list[str]:
    """The architectures of the daemon's workers: a call that BuildKit of any age answers."""
    list_workers = connection.channel.unary_unary(
        "/moby.buildkit.v1.Control/ListWorkers",
        request_serializer=control_pb2.ListWorkersRequest.SerializeToString,
        response_deserializer=control_pb2.ListWorkersResponse.FromString,
    )
    response = await list_workers(control_pb2.ListWorkersRequest())
    return [platform.Architecture for worker in response.record for platform in worker.platforms]


async def test_an_engine(engine: Engine) -> None:
    async with open_connection(parse_address(f"docker://{engine.socket}"), environ={}) as connection:
        assert await platforms(connection)
        assert connection.notice == ""


async def test_an_engine_by_docker_host(engine: Engine) -> None:
    environ = {"DOCKER_HOST": f"unix://{engine.socket}"}
    async with open_connection(parse_address("docker://"), environ=environ) as connection:
        assert await platforms(connection)


async def test_an_engine_is_told_from_a_buildkit(engine: Engine) -> None:
    async with open_connection(parse_address(f"unix://{engine.socket}"), environ={}) as connection:
        with pytest.raises(Exception, match="UNAVAILABLE"):
            await platforms(connection)
        error = await connection.diagnose()
    assert error is not None
    assert f"docker://{engine.socket}" in error.hint


# Throwaway daemons


@pytest.fixture
def private() -> Iterator[Path]:
    """A folder for TMPDIR, whose path leaves room for sockets below it; it must end empty."""
    folder = Path(tempfile.mkdtemp(prefix="private-", dir="/tmp"))
    yield folder
    folder.rmdir()


@pytest.fixture(params=[packages.ENGINE_20, packages.ENGINE_26], ids=lambda release: release.name)
def installed(request: pytest.FixtureRequest, private: Path) -> Iterator[dict[str, str]]:
    """The environment of a machine where that engine is installed; afterwards nothing may be left of it."""
    release: Release = request.param
    if os.geteuid() != 0:
        pytest.skip("a throwaway dockerd needs root")
    try:
        programs = packages.engine(release)
    except UnavailableError as missing:
        pytest.skip(str(missing))
    fixed = fixed_places()
    yield {
        "PATH": f"{programs.path}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": programs.library_path,
        "TMPDIR": str(private),
        "HOME": str(private),
    }
    assert not daemons(private)
    assert str(private) not in Path("/proc/self/mounts").read_text()
    assert fixed_places() <= fixed


def fixed_places() -> set[str]:
    """Where a dockerd writes whatever its root is."""
    places = ("/etc/docker", "/opt/containerd", "/run/docker", "/run/runc", "/run/containerd")
    return {place for place in places if os.path.exists(place)}


def daemons(root: Path) -> set[int]:
    """Processes of a throwaway daemon: its private root is among their arguments."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if bytes(root) in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


def control_groups(name: str) -> list[Path]:
    """Version 1 of cgroups has a hierarchy for each controller."""
    return [path for pattern in (name, f"*/{name}") for path in Path("/sys/fs/cgroup").glob(pattern)]


async def test_a_throwaway_daemon(installed: Mapping[str, str], private: Path) -> None:
    async with open_connection(parse_address("daemonless://"), environ=installed) as connection:
        assert await platforms(connection)
        assert "force-network-mode=none" in connection.notice
        assert daemons(private)
        (root,) = (path for path in private.iterdir() if (path / "data").exists())
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        for hierarchy in Path("/sys/fs/cgroup").glob("*/cgroup.procs"):
            (hierarchy.parent / root.name / "buildkit" / "step").mkdir(
                parents=True
            )  # as a killed step leaves it
    assert not daemons(private)
    assert not control_groups(root.name)


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.3])
async def test_a_throwaway_daemon_is_given_up_while_it_starts(
    installed: Mapping[str, str], seconds: float
) -> None:
    async def start() -> None:
        async with open_connection(parse_address("daemonless://"), environ=installed):
            await asyncio.sleep(60)  # on a quick machine it is there within a third of a second

    task = asyncio.create_task(start())
    await asyncio.sleep(seconds)
    begin = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert time.monotonic() - begin < 5
    assert task.cancelled()


_HOLD = """
import asyncio, os
from buildctl.model.address import parse_address
from buildctl.transport.channel import open_connection
async def main():
    async with open_connection(parse_address("daemonless://"), environ=dict(os.environ)):
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_throwaway_daemon_dies_with_its_command(
    installed: Mapping[str, str], private: Path, number: signal.Signals
) -> None:
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _HOLD),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**installed, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
    )
    assert command.stdout is not None
    assert await command.stdout.readline() == b"ready\n"
    command.send_signal(number)
    await command.communicate()
    async with asyncio.timeout(10):
        while daemons(private) or list(private.iterdir()):
            assert number == signal.SIGKILL, "an interrupted command waits for its daemon's end"
            await asyncio.sleep(0.05)


async def test_a_daemon_that_does_not_start(installed: Mapping[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "dockerd").write_text("#!/bin/sh\necho first >&2\necho last words >&2\nexit 5\n")
    (programs / "dockerd").chmod(0o755)
    environ = {**installed, "PATH": f"{programs}:{installed['PATH']}"}
    with pytest.raises(ConnectError) as caught:
        async with open_connection(parse_address("daemonless://"), environ=environ):
            pass
    assert str(caught.value) == "the throwaway dockerd ended while starting (exit status 5): last words"
    assert "first" in caught.value.hint


async def test_what_a_throwaway_daemon_needs(private: Path) -> None:
    with pytest.raises(ConnectError, match="neither buildkitd nor dockerd"):
        async with open_connection(parse_address("daemonless://"), environ={"PATH": str(private)}):
            pass
