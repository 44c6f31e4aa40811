"""Proxies are used as Go's httpproxy says, and their CONNECT is a real conversation."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from buildctl.errors import UsageError
from buildctl.transport.proxy import proxy_dialer
from tests.support.daemon_peer import tcp_peer
from tests.unit.transport.test_channel import DIALING, failure, reach


@dataclass
class Proxy:
    """Connects whoever asks to the peer, whatever name was asked for."""

    peer: str
    answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"
    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            if b" 200 " in self.answer:
                host, port = self.peer.removeprefix("tcp://").split(":")
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
                await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
async def through() -> AsyncIterator[Proxy]:
    """A proxy in front of a peer."""
    async with tcp_peer() as peer:
        front = Proxy(peer.address)
        server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
        front.port = server.sockets[0].getsockname()[1]
        yield front
        server.close()
        await peer.aclose()
        await asyncio.sleep(0.05)  # for the conversations to see their ends


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
async def test_through_a_proxy(through: Proxy, form: str) -> None:
    await reach("tcp://buildkit.example:1234", environ={"HTTPS_PROXY": form.format(through.port)})
    assert through.requests == [
        b"CONNECT buildkit.example:1234 HTTP/1.1\r\nHost: buildkit.example:1234\r\n\r\n"
    ]


async def test_credentials(through: Proxy) -> None:
    await reach("tcp://h:1", environ={"https_proxy": f"http://me:p%40ss@127.0.0.1:{through.port}"})
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in through.requests[0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "failed to do connect handshake: 403 Forbidden"),
        (b"SSH-2.0-x\r\n\r\n", "no answer to CONNECT"),
        (b"", "no answer to CONNECT"),
    ],
)
async def test_a_proxy_that_refuses(through: Proxy, answer: bytes, said: str) -> None:
    through.answer = answer
    error = await failure("tcp://h:1", environ={"HTTPS_PROXY": f"127.0.0.1:{through.port}"})
    assert error.message == f'{DIALING}proxy 127.0.0.1:{through.port} of HTTPS_PROXY: {said}"'
    assert "HTTPS_PROXY" in error.hint


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
async def test_a_proxy_that_is_not_there(variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = await failure("tcp://h:1", environ={variable: f"http://127.0.0.1:{port}"})
    assert error.message == (
        f"{DIALING}proxy 127.0.0.1:{port} of {variable}: dial tcp 127.0.0.1:{port}: "
        'connect: connection refused"'
    )
    assert variable in error.hint


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://proxy:70000", '"http://proxy:70000" in https_proxy: dial tcp: address 70000: invalid port'),
        ("proxy:65536", '"proxy:65536" in https_proxy: dial tcp: address 65536: invalid port'),
        ("ftp://proxy:21", '"ftp://proxy:21" in https_proxy: a proxy cannot be reached by ftp'),
        ("http://", '"http://" in https_proxy: '),
        ("http://a b", '"http://a b" in https_proxy: '),
        ("http://me:s3cret@proxy:x", '"http://***@proxy:x" in https_proxy'),
        ("http://me:s3cret/x@proxy:x", '"http://***@proxy:x" in https_proxy'),
        ("http://me:x/s3cret@y@proxy:x", '"http://***@proxy:x" in https_proxy'),
        ("me:s3cret@proxy:65536", '"***@proxy:65536" in https_proxy'),
    ],
)
def test_a_proxy_that_cannot_be_meant(value: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        proxy_dialer("h:1", {"https_proxy": value})
    assert str(caught.value).startswith(f"invalid proxy address {said}")
    assert "https_proxy" in caught.value.hint
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "exceptions", "direct"),
    [
        ("h.example:1", "", False),
        ("localhost:1", "", True),
        ("127.0.0.2:1", "", True),
        ("[::1]:1", "", True),
        ("10.1.2.3:1", "", False),
        ("h.example:1", "*", True),
        ("h.example:1", "example", True),
        ("h.example:1", "other, H.EXAMPLE", True),
        ("h.example:1", ".h.example", False),
        ("a.h.example:1", ".h.example", True),
        ("a.h.example:1", "*.h.example", True),
        ("ah.example:1", "h.example", False),
        ("h.example:1", "h.example:1", True),
        ("h.example:1", "h.example:2", False),
        ("10.1.2.3:1", "10.0.0.0/8", True),
        ("10.1.2.3:1", "10.1.2.3", True),
        ("10.1.2.3:1", "10.1.2.3:2", False),
        ("h.example:1", "10.0.0.0/8", False),
        ("[fe80::2]:1", "fe80::/10", True),
    ],
)
def test_exceptions(endpoint: str, exceptions: str, direct: bool) -> None:
    environ = {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": exceptions}
    assert (proxy_dialer(endpoint, environ) is None) == direct


def test_only_https_proxy_counts() -> None:
    assert proxy_dialer("h.example:1", {"HTTP_PROXY": "proxy:1", "grpc_proxy": "proxy:1"}) is None
