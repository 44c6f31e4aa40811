"""docker://: the BuildKit inside a Docker Engine, reached by upgrading an HTTP request to gRPC.

The Engine serves BuildKit's API on `POST /grpc` (moby api/server/router/grpc): after its 101 the
connection carries HTTP/2. A DOCKER_HOST with ssh runs `docker system dial-stdio` on that host, which
copies to the Engine's socket there.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
from collections.abc import Mapping
from functools import partial

from buildctl.errors import ConnectError, UsageError
from buildctl.model.address import SOCKETS, Address, TLSOptions, parse_address, socket_path
from buildctl.model.quote import quote
from buildctl.transport.command import dial_command
from buildctl.transport.connhelper import ssh_command
from buildctl.transport.dial import DIAL_TIMEOUT, dial_tcp, dial_unix
from buildctl.transport.http1 import Answer, ask
from buildctl.transport.stream import ByteStream, Dial, dial_error, ended_error
from buildctl.transport.tls import load_tls
from buildctl.transport.tlsstream import dial_tls

DEFAULT_SOCKET = "/var/run/docker.sock"

_REQUEST = (
    b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"
)
_LOGIN_SECONDS = 25.0
_ANSWER_LIMIT = 64 * 1024
_NEXT_STEP = "is that a Docker Engine of 18.09 or later, and may you use it?"


def engine_address(address: Address, environ: Mapping[str, str]) -> Address:
    """Where the Engine is: a `unix`, `tcp` or `ssh` address; `docker://` alone leaves it to DOCKER_HOST."""
    if address.path not in ("", "/"):
        return _socket(address.path)
    if address.host:
        return _with_port(address, environ)
    if not environ.get("DOCKER_HOST"):
        return _socket(DEFAULT_SOCKET)
    host = parse_address(environ["DOCKER_HOST"])
    if host.scheme == "tcp":
        return _with_port(host, environ)
    if host.scheme in (*SOCKETS, "ssh") and (host.path or host.hostname):
        return host
    raise UsageError(
        f"DOCKER_HOST is no address that can be dialled: {quote(host.text)}",
        hint="it may be unix:///path/docker.sock, tcp://host:port or ssh://[user@]host",
    )


def _socket(path: str) -> Address:
    return Address(text=f"unix://{path}", scheme="unix", path=path)


def _with_port(address: Address, environ: Mapping[str, str]) -> Address:
    if address.port:
        return parse_address(f"tcp://{address.host}")
    host = address.host or "localhost"
    return parse_address(f"tcp://{host}:{2376 if engine_tls(environ).wanted else 2375}")


def engine_tls(environ: Mapping[str, str]) -> TLSOptions:
    """The TLS that Docker's own variables ask for: certificates are always verified."""
    directory = environ.get("DOCKER_CERT_PATH", "")
    if not directory and environ.get("DOCKER_TLS_VERIFY"):
        directory = environ.get("DOCKER_CONFIG") or os.path.join(environ.get("HOME", ""), ".docker")
    return TLSOptions(directory=directory)


def engine_dialer(address: Address, tls: TLSOptions, environ: Mapping[str, str]) -> Dial:
    """Dials the Engine that a `docker` address means and upgrades the connection."""
    dial, where, timeout_seconds = engine_api_dialer(address, tls, environ)
    return partial(_dial, dial, where, timeout_seconds)


def engine_api_dialer(
    address: Address, tls: TLSOptions, environ: Mapping[str, str]
) -> tuple[Dial, str, float]:
    """Dials the Engine that a `docker` address means, for its own API (HTTP/1.1).

    Returns with it the Engine's address for messages, and the seconds that an answer may take.
    """
    engine = engine_address(address, environ)
    if engine.scheme in SOCKETS:
        return partial(dial_unix, socket_path(engine)), engine.text, DIAL_TIMEOUT
    if engine.scheme == "ssh":
        remote = ("--host", f"unix://{engine.path}") if engine.path not in ("", "/") else ()
        argv = ssh_command(engine, "docker", *remote, "system", "dial-stdio")
        return partial(dial_command, argv, environ), engine.text, _LOGIN_SECONDS
    files = load_tls(tls if tls.wanted else engine_tls(environ))
    dial: Dial = partial(dial_tcp, engine.endpoint)
    if files is not None:
        dial = partial(dial_tls, dial, files, tls.server_name or engine.hostname)
    return dial, engine.text, DIAL_TIMEOUT


def engine_socket_dialer(path: str) -> Dial:
    """Dials the Engine that listens on the socket at `path` and upgrades the connection."""
    return partial(_dial, partial(dial_unix, path), "unix://" + path.replace("\0", "@", 1))


async def _dial(dial: Dial, where: str, timeout_seconds: float = DIAL_TIMEOUT) -> ByteStream:
    return await upgrade(await dial(), where, timeout_seconds)


async def upgrade(stream: ByteStream, where: str, timeout_seconds: float = DIAL_TIMEOUT) -> ByteStream:
    """Turn a fresh connection to an Engine into one to its BuildKit; closes it when that fails."""
    try:
        async with asyncio.timeout(timeout_seconds):
            answer = await ask(stream, _REQUEST)
            if answer.status != 101:
                raise await _refusal(stream, where, answer)
    except TimeoutError:
        await stream.aclose()
        raise _failure(where, "i/o timeout") from None
    except OSError as error:
        reason = await stream.why_ended()
        await stream.aclose()
        if reason is not None:
            raise ended_error(reason, connected=False) from None
        raise _failure(where, (error.strerror or "EOF").lower()) from None
    except ValueError:
        await stream.aclose()
        raise _failure(where, "no HTTP answer") from None
    except BaseException:
        await stream.aclose()
        raise
    stream.early = answer.rest
    return stream


async def _refusal(stream: ByteStream, where: str, answer: Answer) -> ConnectError:
    """The Engine's own words for not upgrading: its status line, and the message of its JSON body."""
    import http.client  # which is slow to load, and few Engines refuse

    loop = asyncio.get_running_loop()
    said = f"{answer.status} {answer.reason}"
    whole = answer.head + b"\r\n\r\n" + answer.rest
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):  # a body of this size comes with its header; keep-alive never ends
            while len(whole) < _ANSWER_LIMIT and (chunk := await loop.sock_recv(stream.sock, 16 * 1024)):
                whole += chunk
    response = http.client.HTTPResponse(_Recorded(whole))  # type: ignore[arg-type]
    try:
        response.begin()
        body = json.loads(response.read(_ANSWER_LIMIT))
    except (http.client.HTTPException, ValueError, RecursionError):
        body = None
    finally:
        response.close()
    if isinstance(body, dict) and (message := body.get("message")):
        said = f"{said}: {message}"
    return _failure(where, said)


def _failure(where: str, said: str) -> ConnectError:
    return dial_error(f"Docker Engine at {where}: POST /grpc: {said}", _NEXT_STEP)


class _Recorded:
    """What HTTPResponse wants of a socket, over bytes that have been read already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)
