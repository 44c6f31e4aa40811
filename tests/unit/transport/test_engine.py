"""The upgrade to an Engine's BuildKit, on a socket, over TCP and within TLS, and every way it is refused."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import trustme

from buildctl.errors import ConnectError, UsageError
from buildctl.model.address import TLSOptions, parse_address
from buildctl.transport.engine import engine_address, engine_tls
from tests.support.daemon_peer import Peer
from tests.unit.transport.test_channel import DIALING, failure, reach

UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


class Engine(Peer):
    """Answers HTTP with `answer`, and where that consents, goes on as a peer."""

    answer = UPGRADED
    asked = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            self.asked = await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            if self.answer.startswith(UPGRADED):
                await super().serve(reader, writer)
                return
            await reader.read()  # as an HTTP server does, it waits for another request
        writer.close()


@contextlib.asynccontextmanager
async def engine_on(path: Path | str) -> AsyncIterator[Engine]:
    engine = Engine(f"docker://{path}")
    server = await asyncio.start_unix_server(engine.serve, path)
    try:
        yield engine
    finally:
        server.close()
        await engine.aclose()


@contextlib.asynccontextmanager
async def engine_at_port(context: ssl.SSLContext | None = None) -> AsyncIterator[Engine]:
    engine = Engine("")
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, ssl=context)
    engine.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield engine
    finally:
        server.close()
        await engine.aclose()


async def test_the_upgrade(tmp_path: Path) -> None:
    async with engine_on(tmp_path / "docker.sock") as engine:
        await reach(engine.address, environ={"TMPDIR": str(tmp_path)})
    assert engine.authorities == ["localhost"]
    request, *fields = engine.asked.split(b"\r\n")
    assert request == b"POST /grpc HTTP/1.1"
    assert {b"Connection: Upgrade", b"Upgrade: h2c"} <= set(fields)
    # From Python 3.13 on asyncio's server removes its own.
    assert {path.name for path in tmp_path.iterdir()} <= {"docker.sock"}


async def test_docker_host(tmp_path: Path) -> None:
    async with engine_on(tmp_path / "docker.sock"):
        await reach("docker://", environ={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    name = f"buildctl-engine-{os.getpid()}"
    async with engine_on(f"\0{name}"):
        await reach("docker://", environ={"DOCKER_HOST": f"unix://@{name}"})
    async with engine_at_port() as engine:
        await reach("docker://", environ={"DOCKER_HOST": f"tcp://{engine.address}"})
        await reach(f"docker://{engine.address}")


@pytest.mark.parametrize("by_environment", [True, False])
async def test_within_tls(tmp_path: Path, by_environment: bool) -> None:
    authority = trustme.CA()
    client = authority.issue_cert("client")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    tls = None if by_environment else TLSOptions(directory=str(tmp_path))
    environ = {"DOCKER_CERT_PATH": str(tmp_path), "DOCKER_TLS_VERIFY": "1"} if by_environment else {}
    async with engine_at_port(context) as engine:
        await reach(f"docker://{engine.address}", tls, environ)
        trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
        error = await failure(f"docker://{engine.address}", tls, environ)
    assert "x509: certificate signed by unknown authority" in error.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            b'HTTP/1.1 404 Not Found\r\nContent-Length: 29\r\n\r\n{"message":"page not found"}\n',
            "404 Not Found: page not found",
        ),
        (
            b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'12\r\n{"message":"later"\r\n1\r\n}\r\n0\r\n\r\n',
            "503 Service Unavailable: later",
        ),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n[1]\n", "403 Forbidden"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\ncut", "200 OK"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP answer"),
        (b"x" * 70_000, "no HTTP answer"),
    ],
)
async def test_refused(tmp_path: Path, answer: bytes, said: str) -> None:
    async with engine_on(tmp_path / "docker.sock") as engine:
        engine.answer = answer
        error = await failure(engine.address)
    assert error.message == f'{DIALING}Docker Engine at unix://{tmp_path}/docker.sock: POST /grpc: {said}"'


@pytest.mark.parametrize(
    ("address", "environ", "found"),
    [
        ("docker://", {}, "unix:///var/run/docker.sock"),
        ("docker:///a%20b", {"DOCKER_HOST": "tcp://h:1"}, "unix:///a b"),
        ("docker://h:1", {"DOCKER_HOST": "tcp://i:1"}, "tcp://h:1"),
        ("docker://h", {}, "tcp://h:2375"),
        ("docker://h", {"DOCKER_TLS_VERIFY": "1"}, "tcp://h:2376"),
        ("docker://", {"DOCKER_HOST": "tcp://:7"}, "tcp://:7"),
        ("docker://", {"DOCKER_HOST": "tcp://h"}, "tcp://h:2375"),
        ("docker://", {"DOCKER_HOST": "ssh://me@h"}, "ssh://me@h"),
    ],
)
def test_address(address: str, environ: Mapping[str, str], found: str) -> None:
    assert engine_address(parse_address(address), environ).text == found


@pytest.mark.parametrize("host", ["fd://", "junk", "npipe:////./pipe/docker", "unix://", "://"])
def test_bad_docker_host(host: str) -> None:
    with pytest.raises(UsageError):
        engine_address(parse_address("docker://"), {"DOCKER_HOST": host})


def test_tls_of_the_environment() -> None:
    assert not engine_tls({}).wanted
    assert engine_tls({"DOCKER_CERT_PATH": "/c"}).directory == "/c"
    assert engine_tls({"DOCKER_TLS_VERIFY": "1", "HOME": "/h"}).directory == "/h/.docker"
    assert engine_tls({"DOCKER_TLS_VERIFY": "1", "HOME": "/h", "DOCKER_CONFIG": "/d"}).directory == "/d"


async def test_missing_files_are_said_before_dialling(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="directory did not contain one of the needed files"):
        await reach("docker://h:1", environ={"DOCKER_CERT_PATH": str(tmp_path)})
