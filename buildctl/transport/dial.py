"""Plain dialling, unix and TCP, with Go's words for what goes wrong."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from functools import partial

from buildctl.errors import ConnectError
from buildctl.system.detached import detached
from buildctl.transport.stream import ByteStream, dial_error

DIAL_TIMEOUT = 4.0
"""Seconds for a name or a connection; wrong addresses are to be reported within ten, probing included."""

SocketAddress = tuple[int, tuple[str, int]]
"""An address family, and an IP address with a port."""

# The names that Go knows on a machine without /etc/services (net/lookup.go).
_PORTS = {"domain": 53, "ftp": 21, "ftps": 990, "gopher": 70, "http": 80, "https": 443, "imap2": 143}
_PORTS |= {"imap3": 220, "imaps": 993, "pop3": 110, "pop3s": 995, "smtp": 25, "submissions": 465, "ssh": 22}
_PORTS |= {"telnet": 23}

_LAST_PORT = 65535
_START_ENGINE = (
    "is the Docker Engine running? start it (sudo systemctl start docker), or name another with --addr or "
    "DOCKER_HOST"
)
_START_DAEMON = "is a daemon running? start buildkitd, or name another with --addr or BUILDKIT_HOST"


async def dial_unix(path: str) -> ByteStream:
    """Connect to the socket at `path`; a leading NUL means an abstract one."""
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    shown = path.replace("\0", "@", 1)
    try:
        async with asyncio.timeout(DIAL_TIMEOUT):
            await _connect_unix(sock, path)
    except TimeoutError:
        sock.close()
        raise dial_error(f"dial unix {shown}: i/o timeout", "the daemon accepts no connection") from None
    except OSError as error:
        sock.close()
        lasting = isinstance(error, PermissionError)
        raise dial_error(
            f"dial unix {shown}: connect: {_reason(error)}", _unix_hint(error, shown), lasting=lasting
        ) from None
    except BaseException:
        sock.close()
        raise
    return ByteStream(sock)


async def _connect_unix(sock: socket.socket, path: str) -> None:
    while True:
        try:
            sock.connect(path)
            return
        except BlockingIOError:  # the backlog is full; such a socket never becomes writable
            await asyncio.sleep(0.05)


async def dial_tcp(endpoint: str) -> ByteStream:
    """Connect to `host:port`, trying each address of the host in the resolver's order."""
    failure: ConnectError | None = None
    for family, address in await resolve(endpoint):
        try:
            return await _dial_address(family, address)
        except ConnectError as error:
            failure = failure or error  # Go reports the first
    assert failure is not None
    raise failure


async def _dial_address(family: int, address: tuple[str, int]) -> ByteStream:
    shown = join_host_port(*address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(DIAL_TIMEOUT):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except TimeoutError:
        sock.close()
        raise dial_error(
            f"dial tcp {shown}: i/o timeout", "is the host up, and no firewall between?"
        ) from None
    except OSError as error:
        sock.close()
        raise dial_error(f"dial tcp {shown}: connect: {_reason(error)}", _START_DAEMON) from None
    except BaseException:
        sock.close()
        raise
    return ByteStream(sock)


async def resolve(endpoint: str) -> Sequence[SocketAddress]:
    """The addresses of `host:port`, at least one; raises ConnectError."""
    host, port = split_host_port(endpoint)
    try:
        async with asyncio.timeout(DIAL_TIMEOUT):
            found = await detached(partial(_look_up, host, port))
    except TimeoutError:
        raise dial_error(f"dial tcp: lookup {host}: i/o timeout", "does the name server answer?") from None
    except (OSError, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_SERVICE:
            raise dial_error(
                f"dial tcp: lookup tcp/{port}: unknown port", "give the port as a number"
            ) from None
        raise dial_error(f"dial tcp: lookup {host}: no such host", "is the host's name right?") from None
    return found


def _look_up(host: str, port: str) -> list[SocketAddress]:
    found = socket.getaddrinfo(host or "localhost", _PORTS.get(port, port), type=socket.SOCK_STREAM)
    return [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]


def split_host_port(endpoint: str) -> tuple[str, str]:
    """Host and port, as Go's net.SplitHostPort separates them; raises ConnectError in its words."""

    def bad(reason: str, hint: str = "give the address as tcp://host:port") -> ConnectError:
        return dial_error(f"dial tcp: address {endpoint}: {reason}", hint)

    if not endpoint:
        raise dial_error("dial tcp: missing address", "give the address as tcp://host:port")
    host, colon, port = endpoint.rpartition(":")
    if not colon:
        raise bad("missing port in address", "give a scheme (unix://, tcp://, docker://) or a port")
    if endpoint.startswith("["):
        inner, bracket, rest = endpoint[1:].partition("]")
        if not bracket:
            raise bad("missing ']' in address")
        if not rest.startswith(":"):
            raise bad("missing port in address")
        if ":" in rest[1:]:
            raise bad("too many colons in address")
        host, port = inner, rest[1:]
    elif ":" in host:
        raise bad("too many colons in address")
    for bracket in "[]":
        if bracket in host or bracket in port:
            raise bad(f"unexpected '{bracket}' in address")
    _check_port(port)
    return host, port


def _check_port(port: str) -> None:
    """Raise `ConnectError` for a number that no port has: the resolver would take another in its place."""
    sign, digits = port[:1].strip("0123456789"), port.lstrip("+-").lstrip("0")
    if not digits.isascii() or not digits.isdigit():
        return  # a name, or none
    if sign == "-" or len(digits) > len(str(_LAST_PORT)) or int(digits) > _LAST_PORT:
        raise dial_error(
            f"dial tcp: address {port}: invalid port", f"ports go up to {_LAST_PORT}", lasting=True
        )


def join_host_port(host: str, port: int | str) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: OSError) -> str:
    """The system's words as Go prints them: without a capital; a path too long is an invalid argument."""
    return os.strerror(error.errno or errno.EINVAL).lower()


def _permission_hint(path: str) -> str:
    """Who may use the socket: members of its group where it is for a group, else root."""
    import grp
    import stat

    try:
        found = os.stat(path)
        group = grp.getgrgid(found.st_gid).gr_name if found.st_gid and found.st_mode & stat.S_IWGRP else ""
    except (OSError, KeyError):  # also where its folder may not be looked into
        group = ""
    if not group:
        return f"{path} is for root alone: run the command with sudo, or ask for a rootless daemon"
    if found.st_gid in (os.getegid(), *os.getgroups()):
        return f"you are in the group {group} of {path} and still may not use it: look at its folders"
    return (
        f"{path} is for members of the group {group}: have yourself added to it "
        f"(sudo usermod -aG {group} $USER) and log in anew, or run the command with sudo"
    )


def _unix_hint(error: OSError, path: str) -> str:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return _permission_hint(path)
        case errno.ENOENT | errno.ECONNREFUSED:
            return _START_ENGINE if os.path.basename(path).startswith("docker") else _START_DAEMON
        case None:
            return "a socket's path may be no longer than about 100 bytes"
        case _:
            return "is that the path of a daemon's socket?"
