"""The relay carries bytes between real sockets, unchanged and bounded, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import socket
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildctl.errors import ConnectError
from buildctl.system import descriptors
from buildctl.transport import relay as module
from buildctl.transport.relay import Relay, open_relay, socket_root
from buildctl.transport.stream import ByteStream, dial_error


@pytest.fixture(params=["pipe", "memory"], autouse=True)
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test, with what is under way kept by the kernel and kept by this process."""
    if request.param == "pipe" and not hasattr(os, "splice"):
        pytest.skip("splice(2) is Linux's")
    monkeypatch.setattr(module, "_Store", {"pipe": module._Pipe, "memory": module._Memory}[request.param])


@contextlib.asynccontextmanager
async def relayed(
    tmp_path: Path, early: bytes = b""
) -> AsyncIterator[tuple[Relay, socket.socket, socket.socket]]:
    """A relay, the client's socket, and the far end of what was dialled for it."""
    loop = asyncio.get_running_loop()
    descriptors = len(os.listdir("/proc/self/fd"))
    near, far = socket.socketpair()
    for sock in (near, far):
        sock.setblocking(False)

    async def dial() -> ByteStream:
        return ByteStream(near, early)

    with near:
        async with open_relay(dial, {"TMPDIR": str(tmp_path)}) as relay:
            with socket.socket(socket.AF_UNIX) as client, far:
                client.setblocking(False)
                await loop.sock_connect(client, relay.path)
                yield relay, client, far
    await assert_open_at_most(descriptors)


async def assert_open_at_most(count: int) -> None:
    """In the end: what earlier tests left in this process may open something for a moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            while len(os.listdir("/proc/self/fd")) > count:
                await asyncio.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= count


async def receive_all(sock: socket.socket) -> bytes:
    received = bytearray()
    while chunk := await asyncio.get_running_loop().sock_recv(sock, 65536):
        received += chunk
    return bytes(received)


async def test_both_ways_at_once_with_half_closes(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    out, back = random.Random(1).randbytes(3_000_001), random.Random(2).randbytes(2_000_003)

    async def send(sock: socket.socket, data: bytes) -> None:
        await loop.sock_sendall(sock, data)
        sock.shutdown(socket.SHUT_WR)

    async with relayed(tmp_path) as (_, client, far):
        async with asyncio.timeout(20):
            _, _, received_far, received_client = await asyncio.gather(
                send(client, out), send(far, back), receive_all(far), receive_all(client)
            )
    assert received_far == out
    assert received_client == back


async def test_one_way_goes_on_after_the_other_ended(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with relayed(tmp_path) as (_, client, far):
        client.shutdown(socket.SHUT_WR)
        assert await receive_all(far) == b""
        await loop.sock_sendall(far, b"still here")
        far.shutdown(socket.SHUT_WR)
        assert await receive_all(client) == b"still here"


async def test_early_bytes_come_first(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with relayed(tmp_path, early=b"first ") as (_, client, far):
        await loop.sock_sendall(far, b"then")
        far.shutdown(socket.SHUT_WR)
        assert await receive_all(client) == b"first then"


async def test_a_reader_that_stops_stops_the_writer(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with relayed(tmp_path) as (_, client, far):
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                async with asyncio.timeout(0.5):
                    await loop.sock_sendall(client, bytes(65536))
                sent += 65536
        assert sent < 8 << 20
        assert len(await asyncio.wait_for(loop.sock_recv(far, 1), 5)) == 1


async def test_either_end_going_away_closes_the_other(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (_, client, far):
        far.close()
        async with asyncio.timeout(5):
            assert await receive_all(client) == b""


async def test_a_failed_dial_is_remembered_and_a_later_success_forgets_it(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    failure = dial_error("no way", "")
    ends: list[socket.socket] = []

    async def dial() -> ByteStream:
        if not ends:
            ends.extend(socket.socketpair())
            raise failure
        ends[0].setblocking(False)
        return ByteStream(ends[0])

    async with open_relay(dial, {"TMPDIR": str(tmp_path)}) as relay:
        for expected in (failure, None):
            with socket.socket(socket.AF_UNIX) as client:
                client.setblocking(False)
                await loop.sock_connect(client, relay.path)
                if expected is None:
                    ends[1].close()
                assert await asyncio.wait_for(loop.sock_recv(client, 1), 5) == b""
            assert await relay.why_ended() is expected
    assert isinstance(failure, ConnectError)
    assert "no way" in failure.message


async def test_there_is_no_name_that_a_killed_process_could_leave(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (relay, _, _):
        assert list(tmp_path.iterdir()) == []
        assert relay.path.startswith("/proc/self/fd/")


async def test_where_a_name_is_needed_it_is_private_and_goes_away_even_when_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "_OWN", "/nonexistent")
    entered = asyncio.Event()
    modes: list[int] = []

    async def hold() -> None:
        async with relayed(tmp_path) as (relay, _, _):
            for path in (os.path.dirname(relay.path), relay.path):
                modes.append(stat.S_IMODE(os.stat(path).st_mode))
            entered.set()
            await asyncio.Event().wait()

    mask = os.umask(0)  # as the command line has it
    try:
        task = asyncio.create_task(hold())
        await entered.wait()
    finally:
        os.umask(mask)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert modes == [0o700, 0o600]
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_too_deep_for_a_socket_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "_OWN", "/nonexistent")
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    async with relayed(deep) as (relay, _, _):
        assert relay.path.startswith("/tmp/")


def test_a_socket_s_folder_is_where_there_is_room(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    assert socket_root({"TMPDIR": "/var/tmp"}) == "/var/tmp"
    for unfit in (
        {},
        {"TMPDIR": ""},
        {"TMPDIR": "relative"},
        {"TMPDIR": "/nonexistent"},
        {"TMPDIR": str(long)},
    ):
        assert socket_root(unfit) == "/tmp"


async def test_without_descriptors_it_waits_and_says_why(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()

    async def dial() -> ByteStream:
        return ByteStream(near)

    near.setblocking(False)
    with near, far, socket.socket(socket.AF_UNIX) as client:
        async with open_relay(dial, {"TMPDIR": str(tmp_path)}) as relay:
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            lowest = os.dup(far.fileno())
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
            try:
                client.setblocking(False)
                await loop.sock_connect(client, relay.path)
                began = time.process_time()
                await asyncio.sleep(0.5)
                assert time.process_time() - began < 0.25
                failure = await relay.why_ended()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert failure is not None
            assert "too many open files" in str(failure)
            far.setblocking(False)
            await loop.sock_sendall(client, b"late")
            assert await asyncio.wait_for(loop.sock_recv(far, 10), 5) == b"late"


async def test_a_stream_that_there_is_no_room_to_carry_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_Store", module._Pipe)  # which takes descriptors
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()

    async def dial() -> ByteStream:
        return ByteStream(near)

    near.setblocking(False)
    with near, far, socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        async with open_relay(dial, {"TMPDIR": str(tmp_path)}) as relay:
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            lowest = os.dup(far.fileno())
            os.close(lowest)
            # Room for the connection that is accepted, and for nothing else.
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, limits[1]))
            try:
                await loop.sock_connect(client, relay.path)
                assert await asyncio.wait_for(loop.sock_recv(client, 10), 5) == b""
                failure = await relay.why_ended()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert str(failure) == "carry a connection: too many open files"


async def test_a_folder_that_takes_no_socket_is_named(tmp_path: Path) -> None:
    async def dial() -> ByteStream:
        raise AssertionError("nobody can connect")

    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConnectError) as caught:
        async with open_relay(dial, {"TMPDIR": "/proc"}):  # which takes no folders, root's neither
            pass
    assert str(caught.value) == "make a socket in /proc: no such file or directory"
    await assert_open_at_most(descriptors)


async def test_a_rest_that_is_over_after_the_end_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener is known to the loop again neither while the relay closes nor afterwards."""
    monkeypatch.setattr("buildctl.transport.relay._REST_SECONDS", 0.01)
    loop = asyncio.get_running_loop()
    relay = Relay(lambda: asyncio.Event().wait(), "s")  # type: ignore[arg-type,return-value]  # never dialled
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        loop.add_reader(listener, relay.accept, listener)
        relay._rest(listener, OSError(24, "Too many open files"))
        loop.remove_reader(listener)
        await relay.aclose()
        await asyncio.sleep(0.05)
        assert not loop.remove_reader(listener)
