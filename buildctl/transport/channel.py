"""An address becomes a grpc.aio channel, with everything behind it opened and closed again.

What only some addresses need is imported when such an address is opened: most are sockets.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from string import ascii_letters, digits
from typing import TYPE_CHECKING, NamedTuple

import grpc
import grpc.aio

from buildctl.errors import ConnectError
from buildctl.model.address import SOCKETS, Address, TLSOptions, socket_path
from buildctl.system.detached import detached
from buildctl.transport.connhelper import helper_command
from buildctl.transport.dial import SocketAddress, dial_tcp, dial_unix, join_host_port, resolve
from buildctl.transport.stream import ByteStream, Dial

if TYPE_CHECKING:
    from buildctl.transport.relay import Relay
    from buildctl.transport.tls import TLSFiles

_MEBIBYTE = 1024 * 1024
_CONNECT_TIMEOUT_MS = 5_000
_RELAY_TIMEOUT_MS = (
    30_000  # dials behind a relay have limits of their own; a login on another host takes time
)
_UNRESERVED = frozenset(ascii_letters + digits + "-._~/")  # RFC 3986, and the slash
_LONGEST_PATH = 103  # of a sockaddr_un, on the system with the least room for it

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_send_message_length", -1),
    # What buildkitd and the reference send and take at most (containerd's defaults.DefaultMaxRecvMsgSize).
    ("grpc.max_receive_message_length", 16 * _MEBIBYTE),
    # A build's failure carries its sources and stacks in the trailers.
    ("grpc.max_metadata_size", _MEBIBYTE),
    ("grpc.absolute_max_metadata_size", _MEBIBYTE),
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # Calls fail fast; a later one must not find the channel still waiting out an earlier failure.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
    # grpcio reads other proxy variables than the reference, and would apply them to sockets too.
    ("grpc.enable_http_proxy", 0),
)


class _Route(NamedTuple):
    """How an address is reached: what grpcio connects to, and how to open the same stream by hand."""

    target: str
    dial: Dial
    relay: Relay | None = None
    """What is between grpcio and the stream, and knows why it ended."""
    engine: str = ""
    """The docker:// address to recommend where an Engine listens here."""
    notice: str = ""
    connect_timeout_ms: int = _CONNECT_TIMEOUT_MS
    is_local: bool = False
    """`dial` connects to a unix socket, so that another connection reaches the same daemon for certain."""


class Connection:
    """An open way to a daemon. The channel dials on first use; calls fail fast."""

    def __init__(
        self,
        address: Address,
        open_another: Callable[[], grpc.aio.Channel],
        route: _Route,
        tls: TLSFiles | None,
        server_name: str,
    ) -> None:
        self.address = address
        self.channel = open_another()
        self.open_another = open_another
        """Opens a second channel to the daemon, a connection of its own; closed with the first."""
        self.dial = route.dial if route.is_local and tls is None else None
        """Opens one more connection, without TLS, to a unix socket where the same daemon answers. Elsewhere
        it is None: behind one TCP address there may be many daemons, and a login takes its time."""
        self.notice = route.notice
        """One line for people on what this daemon cannot do; mostly empty."""
        self._route = route
        self._tls = tls
        self._server_name = server_name

    async def diagnose(self, connected: bool = False) -> ConnectError | None:
        """Why a call was UNAVAILABLE, in under five seconds; None where the daemon answers by now.

        Of a call that began on a connection it is only told what somebody besides the daemon knows.
        """
        relay = self._route.relay
        if relay is not None and (failure := await relay.why_ended(connected=connected)) is not None:
            return failure
        if connected:
            return None
        from buildctl.transport.diagnose import diagnose

        return await diagnose(self._route.dial, self._tls, self._server_name, engine=self._route.engine)


@contextlib.asynccontextmanager
async def open_connection(
    address: Address, *, tls: TLSOptions | None = None, environ: Mapping[str, str]
) -> AsyncIterator[Connection]:
    """Open a channel to `address`; on the way out it is closed, and so is all that was started for it.

    Raises UsageError and ConnectError for what is wrong before any daemon is asked: TLS files, DOCKER_HOST,
    a throwaway daemon that does not start. Whether the daemon is there is seen by the first call.
    """
    tls = tls or TLSOptions()
    async with contextlib.AsyncExitStack() as stack:
        files = await _tls_files(tls) if tls.wanted and address.scheme != "docker" else None
        route = await _find_route(stack, address, tls, environ)
        server_name = tls.server_name or address.hostname or _default_name(address)
        if files is not None:
            # grpcio would trust the system's authorities and a common name; the reference trusts neither.
            nameless = not files.ca or await _has_no_alternative_names(route.dial, files)
            if nameless:
                route = await _relayed(stack, partial(_distrust, route.dial, files, server_name), environ)
            elif nameless is None:  # it may come up, with whatever certificate
                route = await _relayed(stack, partial(_checked, route.dial, files, server_name), environ)
        authority = _text(server_name if files else (address.host or _default_name(address)))

        def open_another() -> grpc.aio.Channel:
            channel = _open_channel(route, files, server_name, authority)
            stack.push_async_callback(channel.close, None)
            return channel

        yield Connection(address, open_another, route, files, server_name)


async def _tls_files(tls: TLSOptions) -> TLSFiles | None:
    from buildctl.transport.tls import load_tls

    return await detached(partial(load_tls, tls))


def _open_channel(route: _Route, tls: TLSFiles | None, server_name: str, authority: str) -> grpc.aio.Channel:
    options: list[tuple[str, int | str]] = [
        *_OPTIONS,
        ("grpc.default_authority", authority),
        (
            "grpc.min_reconnect_backoff_ms",
            route.connect_timeout_ms,
        ),  # the limit of one attempt, despite its name
    ]
    if tls is None:
        return grpc.aio.insecure_channel(route.target, options=options)
    credentials = grpc.ssl_channel_credentials(tls.ca or None, tls.key or None, tls.cert or None)
    options.append(("grpc.ssl_target_name_override", _text(server_name)))
    return grpc.aio.secure_channel(route.target, credentials, options=options)


def _escaped(path: str) -> str:
    """A path as part of a gRPC target; urllib is loaded for one that needs escapes, which few do."""
    if _UNRESERVED.issuperset(path):
        return path
    from urllib.parse import quote

    return quote(os.fsencode(path))


def _text(name: str) -> str:
    """A name of bytes that are not UTF-8 as grpcio can take it; dialling it says what is wrong with it."""
    return os.fsencode(name).decode("utf-8", "replace")


def _default_name(address: Address) -> str:
    """The authority of an address whose URL has no host (RFC 9110 wants one): a socket is on this machine."""
    if address.scheme in ("", "dns", "passthrough"):
        return address.endpoint.rpartition(":")[0].strip("[]") or address.endpoint
    return "localhost"


async def _find_route(
    stack: contextlib.AsyncExitStack, address: Address, tls: TLSOptions, environ: Mapping[str, str]
) -> _Route:
    match address.scheme:
        case "unix":
            dial = partial(dial_unix, address.path)
            if len(os.fsencode(address.path)) > _LONGEST_PATH:
                return await _relayed(stack, dial, environ)  # which says so when it is dialled
            engine = f"docker://{address.path}" if address.path.startswith("/") else ""
            return _Route(f"unix:{_escaped(address.path)}", dial, engine=engine, is_local=True)
        case "unix-abstract":
            dial = partial(dial_unix, socket_path(address))
            return _Route(f"unix-abstract:{_escaped(address.path)}", dial, is_local=True)
        case "docker":
            from buildctl.transport.engine import engine_address, engine_dialer

            upgraded = await detached(lambda: engine_dialer(address, tls, environ))  # which reads TLS files
            route = await _relayed(stack, upgraded, environ)
            return route._replace(is_local=engine_address(address, environ).scheme in SOCKETS)
        case "daemonless":
            from buildctl.transport.daemonless import open_daemon
            from buildctl.transport.engine import engine_socket_dialer

            daemon = await stack.enter_async_context(open_daemon(environ))
            if daemon.is_engine:
                # Below the daemon's root, the relay's folder is removed even if this process is killed.
                private = {"TMPDIR": os.path.dirname(daemon.socket)}
                route = await _relayed(stack, engine_socket_dialer(daemon.socket), private)
            else:
                route = _Route(f"unix:{_escaped(daemon.socket)}", partial(dial_unix, daemon.socket))
            return route._replace(notice=daemon.notice, is_local=True)
        case _ if argv := helper_command(address):
            from buildctl.transport.command import dial_command

            return await _relayed(stack, partial(dial_command, argv, environ), environ)
        case _:
            return await _tcp_route(stack, address, environ)


async def _tcp_route(
    stack: contextlib.AsyncExitStack, address: Address, environ: Mapping[str, str]
) -> _Route:
    """Straight to the host's addresses; through the relay, dialling anew, where its name is not known."""
    from buildctl.transport.proxy import proxy_dialer

    endpoint = address.endpoint
    if address.scheme == "dns" and ":" not in endpoint:
        endpoint += ":443"  # the resolver's default (grpc naming.md)
    dial: Dial = partial(dial_tcp, endpoint)
    try:
        if proxied := proxy_dialer(endpoint, environ):
            return await _relayed(stack, proxied, environ)
        addresses = await resolve(endpoint)
    except ConnectError:
        return await _relayed(stack, dial, environ)
    return _Route(_ip_target(addresses), dial, engine=f"docker://{endpoint}")


def _ip_target(addresses: Sequence[SocketAddress]) -> str:
    """All addresses in one target, in order: next to IPv6, an IPv4 address is written as a mapped one."""
    if all(family == socket.AF_INET for family, _ in addresses):
        return "ipv4:" + ",".join(join_host_port(*address) for _, address in addresses)
    return "ipv6:" + ",".join(
        join_host_port(host if family == socket.AF_INET6 else f"::ffff:{host}", port)
        for family, (host, port) in addresses
    )


async def _checked(dial: Dial, files: TLSFiles, server_name: str) -> ByteStream:
    """Dials a daemon whose certificate could not be looked at before."""
    stream = await dial()
    if await _has_no_alternative_names(dial, files):
        await stream.aclose()
        return await _distrust(dial, files, server_name)
    return stream


async def _has_no_alternative_names(dial: Dial, files: TLSFiles) -> bool | None:
    from buildctl.transport.diagnose import has_no_alternative_names

    return await has_no_alternative_names(dial, files)


async def _distrust(dial: Dial, tls: TLSFiles, server_name: str) -> ByteStream:
    """Dials a daemon that nobody vouches for, to say what is wrong with that."""
    from buildctl.transport.diagnose import diagnose

    failure = await diagnose(dial, tls, server_name)
    assert failure is not None, "no certificate can be trusted"
    raise failure


async def _relayed(stack: contextlib.AsyncExitStack, dial: Dial, environ: Mapping[str, str]) -> _Route:
    from buildctl.transport.relay import open_relay

    relay = await stack.enter_async_context(open_relay(dial, environ))
    return _Route(f"unix:{_escaped(relay.path)}", dial, relay, connect_timeout_ms=_RELAY_TIMEOUT_MS)
