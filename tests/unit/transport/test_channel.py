"""Channels reach real peers, and what is wrong on the way is named: what a new user gets wrong."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import pwd
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from buildctl._pb import control_pb2
from buildctl.errors import ConnectError
from buildctl.model.address import TLSOptions, parse_address
from buildctl.transport.channel import Connection, open_connection
from tests.support.daemon_peer import Peer, tcp_peer, unix_peer

DIALING = 'connection error: desc = "transport: Error while dialing: '
HANDSHAKE = 'connection error: desc = "transport: authentication handshake failed: '
PREFACE = 'connection error: desc = "error reading server preface: '


async def ask(connection: Connection) -> None:
    """One unary call, failing fast."""
    info = connection.channel.unary_unary(
        "/moby.buildkit.v1.Control/Info",
        request_serializer=control_pb2.InfoRequest.SerializeToString,
        response_deserializer=control_pb2.InfoResponse.FromString,
    )
    await info(control_pb2.InfoRequest())


async def reach(
    address: str, tls: TLSOptions | None = None, environ: Mapping[str, str] | None = None
) -> None:
    """One call over a connection of its own."""
    async with open_connection(
        parse_address(address, takes_words=True), tls=tls, environ=environ or {}
    ) as connection:
        await ask(connection)


async def failure(
    address: str, tls: TLSOptions | None = None, environ: Mapping[str, str] | None = None
) -> ConnectError:
    """Why `address` cannot be reached; it must be found out in time."""
    start = time.monotonic()
    async with open_connection(
        parse_address(address, takes_words=True), tls=tls, environ=environ or {}
    ) as connection:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(connection)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        error = await connection.diagnose()
    assert error is not None
    assert error.hint
    assert time.monotonic() - start < 9.5
    return error


# What there is to reach


async def test_unix(tmp_path: Path) -> None:
    path = tmp_path / "odd name%20?#.sock"
    async with unix_peer(path) as peer:
        await reach(f"unix://{tmp_path}/odd%20name%2520%3F%23.sock")
    assert peer.authorities == ["localhost"]


async def test_unix_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with unix_peer(tmp_path / "peer.sock"):
        await reach("unix:peer.sock")


async def test_unix_abstract() -> None:
    peer = Peer("")
    name = f"buildctl-test-{os.getpid()}"
    server = await asyncio.start_unix_server(peer.serve, f"\0{name}")
    async with server:
        for form in ("unix-abstract:{}", "unix:@{}", "unix://@{}"):
            await reach(form.format(name))
    gone = await failure(f"unix:@{name}")
    assert f"dial unix @{name}: connect: connection refused" in gone.message


@pytest.mark.parametrize("form", ["tcp://{}", "{}", "dns:///{}", "passthrough:///{}"])
async def test_tcp(form: str) -> None:
    async with tcp_peer() as peer:
        endpoint = peer.address.removeprefix("tcp://").replace("127.0.0.1", "localhost")
        await reach(form.format(endpoint))
    assert peer.authorities[0].startswith("localhost")


async def test_tcp_has_the_authority_of_the_url() -> None:
    async with tcp_peer() as peer:
        await reach(peer.address)
    assert peer.authorities == [peer.address.removeprefix("tcp://")]


async def test_proxies_are_grpcs_business_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with unix_peer(tmp_path / "peer.sock") as peer:
        await reach(peer.address)
    async with tcp_peer() as peer:
        await reach(peer.address)


async def test_a_daemon_that_comes_up_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "peer.sock"
    async with open_connection(parse_address(f"unix://{path}"), environ={}) as connection:
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(connection)
        async with unix_peer(path):
            async with asyncio.timeout(2):
                while True:
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        await ask(connection)
                        break
                    await asyncio.sleep(0.05)
            assert await connection.diagnose() is None


# TLS


@dataclass
class Authority:
    """A certificate authority, and the files that its clients use."""

    folder: Path
    ca: trustme.CA

    def server(self, *names: str, client_ca: trustme.CA | None = None, **when: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, **when).configure_cert(context)
        context.set_alpn_protocols(["h2"])
        if client_ca:
            client_ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    @property
    def alone(self) -> TLSOptions:
        """Trusts the authority and shows no certificate."""
        return TLSOptions(ca=str(self.folder / "ca.pem"))

    @property
    def pair(self) -> TLSOptions:
        """Trusts the authority and shows a certificate of it."""
        return TLSOptions(directory=str(self.folder))


@pytest.fixture
def make_authority(tmp_path: Path) -> Callable[[str], Authority]:
    def make(name: str) -> Authority:
        folder = tmp_path / name
        folder.mkdir()
        ca = trustme.CA()
        client = ca.issue_cert("client")
        ca.cert_pem.write_to_path(folder / "ca.pem")
        client.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        client.private_key_pem.write_to_path(folder / "key.pem")
        return Authority(folder, ca)

    return make


@pytest.fixture
def authority(make_authority: Callable[[str], Authority]) -> Authority:
    return make_authority("own")


@pytest.fixture
def stranger(make_authority: Callable[[str], Authority]) -> Authority:
    return make_authority("other")


@pytest.fixture
async def mutual(authority: Authority) -> AsyncIterator[Peer]:
    """A peer that wants a certificate of its clients."""
    async with tcp_peer(authority.server("127.0.0.1", client_ca=authority.ca)) as peer:
        yield peer


async def test_tls_with_a_client_certificate(mutual: Peer, authority: Authority) -> None:
    await reach(mutual.address, authority.pair)
    assert mutual.authorities == ["127.0.0.1"]
    assert mutual.requests[0][":scheme"] == "https"


async def test_tls_server_name(authority: Authority) -> None:
    async with tcp_peer(authority.server("buildkit.example")) as peer:
        tls = TLSOptions(ca=authority.alone.ca, server_name="buildkit.example")
        await reach(peer.address, tls)
    assert peer.authorities == ["buildkit.example"]


async def test_tls_on_a_socket_is_localhosts(tmp_path: Path, authority: Authority) -> None:
    async with unix_peer(tmp_path / "peer.sock", authority.server("localhost")) as peer:
        await reach(peer.address, authority.alone)


async def test_tls_by_name(authority: Authority) -> None:
    async with tcp_peer(authority.server("localhost")) as peer:
        await reach(peer.address.replace("127.0.0.1", "localhost"), authority.alone)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("buildkit.example", "certificate is valid for buildkit.example, not 127.0.0.1"),
        ("127.0.0.2", "certificate is valid for 127.0.0.2, not 127.0.0.1"),
    ],
)
async def test_wrong_name(authority: Authority, name: str, message: str) -> None:
    async with tcp_peer(authority.server(name)) as peer:
        error = await failure(peer.address, authority.alone)
    assert error.message == f'{HANDSHAKE}tls: failed to verify certificate: x509: {message}"'
    assert "(server_name)" in error.hint


async def test_a_common_name_alone_names_nobody(authority: Authority) -> None:
    """Neither the daemon nor an Engine; trustme makes no such certificate."""
    context = common_name_server(authority, "localhost")
    async with tcp_peer(context) as peer:
        address = peer.address.replace("127.0.0.1", "localhost")
        error = await failure(address, authority.alone)
        assert not peer.requests
        engine = await failure(address.replace("tcp://", "docker://"), authority.alone)
        other = await failure(peer.address, authority.alone)
    refused = f"{HANDSHAKE}tls: failed to verify certificate: x509: certificate "
    assert error.message == f'{refused}relies on legacy Common Name field, use SANs instead"'
    assert "relies on legacy Common Name field" in str(engine)
    assert "is not valid for any names, but wanted to match 127.0.0.1" in other.message


@pytest.mark.parametrize("has_alternative_names", [True, False])
async def test_nor_where_the_daemon_comes_up_later(
    tmp_path: Path, authority: Authority, has_alternative_names: bool
) -> None:
    """As with --wait."""
    good, bad = authority.server("localhost"), common_name_server(authority, "localhost")
    address, environ = parse_address(f"unix://{tmp_path}/peer.sock"), {"TMPDIR": str(tmp_path)}
    async with open_connection(address, tls=authority.alone, environ=environ) as connection:
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(connection)
        async with unix_peer(tmp_path / "peer.sock", good if has_alternative_names else bad) as peer:
            for _ in range(30):
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await ask(connection)
                    break
                await asyncio.sleep(0.05)
            error = await connection.diagnose()
    assert bool(peer.requests) == has_alternative_names
    assert error is None or "relies on legacy Common Name field" in error.message
    assert (error is None) == has_alternative_names


def common_name_server(authority: Authority, name: str) -> ssl.SSLContext:
    issuer = x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes()).subject
    signer = serialization.load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = authority.folder / "common-name.pem"
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.set_alpn_protocols(["h2"])
    return context


async def test_wrong_authority(mutual: Peer, stranger: Authority) -> None:
    error = await failure(mutual.address, stranger.alone)
    assert error.message == (
        f'{HANDSHAKE}tls: failed to verify certificate: x509: certificate signed by unknown authority"'
    )
    assert "(ca)" in error.hint


async def test_a_certificate_alone_trusts_nobody(mutual: Peer, authority: Authority) -> None:
    pair = authority.pair.directory
    alone = TLSOptions(cert=f"{pair}/cert.pem", key=f"{pair}/key.pem")
    error = await failure(mutual.address, alone)
    assert error.message == (
        f'{HANDSHAKE}tls: failed to verify certificate: x509: certificate signed by unknown authority"'
    )
    assert "(ca)" in error.hint
    nobody = await failure("tcp://127.0.0.1:1", alone)
    assert nobody.message == f'{DIALING}dial tcp 127.0.0.1:1: connect: connection refused"'


async def test_expired(authority: Authority) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    async with tcp_peer(
        authority.server("127.0.0.1", not_before=past, not_after=past.replace(month=2))
    ) as peer:
        error = await failure(peer.address, authority.alone)
    assert error.message == (
        f'{HANDSHAKE}tls: failed to verify certificate: x509: certificate has expired or is not yet valid"'
    )


@contextlib.contextmanager
def strict_server(context: ssl.SSLContext) -> Iterator[str]:
    """A server that sends its alerts, as asyncio's does not: it only shakes hands."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, contextlib.suppress(ssl.SSLError), context.wrap_socket(client, server_side=True):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


async def test_no_client_certificate(authority: Authority) -> None:
    with strict_server(authority.server("127.0.0.1", client_ca=authority.ca)) as address:
        error = await failure(address, authority.alone)
    assert error.message == f'{PREFACE}remote error: tls: certificate required"'
    assert "(cert)" in error.hint


async def test_a_client_certificate_of_a_stranger(authority: Authority, stranger: Authority) -> None:
    with strict_server(authority.server("127.0.0.1", client_ca=stranger.ca)) as address:
        error = await failure(address, authority.pair)
    assert error.message == f'{PREFACE}remote error: tls: unknown certificate authority"'
    assert "client certificate" in error.hint


async def test_tls_towards_plain_text(authority: Authority) -> None:
    async with tcp_peer() as peer:
        error = await failure(peer.address, authority.alone)
    assert error.message == f'{HANDSHAKE}tls: first record does not look like a TLS handshake"'
    assert "plain text" in error.hint


async def test_plain_text_towards_tls(mutual: Peer) -> None:
    error = await failure(mutual.address)
    assert error.message.startswith(PREFACE)
    assert "TLS" in error.hint


# What is no daemon


async def test_nothing_there(tmp_path: Path) -> None:
    error = await failure(f"unix://{tmp_path}/none.sock")
    assert error.message == f'{DIALING}dial unix {tmp_path}/none.sock: connect: no such file or directory"'


async def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "dead.sock"))
    error = await failure(f"unix://{tmp_path}/dead.sock")
    assert error.message == f'{DIALING}dial unix {tmp_path}/dead.sock: connect: connection refused"'


async def test_a_path_too_long() -> None:
    path = "/" + "x" * 200
    error = await failure(f"unix://{path}")
    assert error.message == f'{DIALING}dial unix {path}: connect: invalid argument"'


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
async def test_permission_denied(tmp_path: Path) -> None:
    async with unix_peer(tmp_path / "peer.sock") as peer:
        os.chmod(tmp_path / "peer.sock", 0o600)
        folder = tmp_path
        while folder != Path("/"):
            os.chmod(folder, 0o755)
            folder = folder.parent if folder.parent != Path("/tmp") else Path("/")
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            error = await failure(peer.address)
        finally:
            os.seteuid(0)
    assert error.message == f'{DIALING}dial unix {tmp_path}/peer.sock: connect: permission denied"'
    assert "root" in error.hint


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("http://h:1", "dial tcp: address http://h:1: too many colons in address"),
        ("foo", "dial tcp: address foo: missing port in address"),
        ("tcp://h", "dial tcp: address h: missing port in address"),
        ("tcp://", "dial tcp: missing address"),
        ("tcp://[::1]", "dial tcp: address [::1]: missing port in address"),
        ("tcp://host.invalid:1", "dial tcp: lookup host.invalid: no such host"),
        ("tcp://x\udce9:1", "dial tcp: lookup x\\xe9: no such host"),
        ("\udce9", "dial tcp: address \\xe9: missing port in address"),
        ("unix:///\udce9", "dial unix /\\xe9: connect: no such file or directory"),
        ("docker:///nonexistent.sock", "dial unix /nonexistent.sock: connect: no such file or directory"),
    ],
)
async def test_not_reached(address: str, message: str) -> None:
    assert (await failure(address)).message == f'{DIALING}{message}"'


async def test_a_socket_that_says_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "silent.sock"))
        sock.listen()
        error = await failure(f"unix://{tmp_path}/silent.sock")
    assert error.message == 'connection error: desc = "failed to receive server preface within timeout"'


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", f'{PREFACE}EOF"'),
        (b"SSH-2.0-OpenSSH_9.2\r\n", f'{PREFACE}http2: frame too large"'),
        (
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            f"{PREFACE}http2: failed reading the frame payload: http2: frame too large, "
            'note that the frame header looked like an HTTP/1.1 header"',
        ),
    ],
)
async def test_a_socket_that_speaks_otherwise(tmp_path: Path, answer: bytes, message: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "peer.sock"):
        error = await failure(f"unix://{tmp_path}/peer.sock")
    assert error.message == message
    assert "BuildKit" in error.hint
