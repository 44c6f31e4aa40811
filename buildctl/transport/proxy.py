"""Through an HTTP proxy to a daemon on another host, where the environment asks for one.

grpc-go's rules, not grpcio's: a daemon's proxy is HTTPS_PROXY's, NO_PROXY lists exceptions, in either case of
letters (golang.org/x/net/http/httpproxy); nothing on this machine is reached by way of a proxy.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import re
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from buildctl.errors import ConnectError, UsageError
from buildctl.model.quote import quote
from buildctl.model.url import URL, parse_url
from buildctl.transport.dial import DIAL_TIMEOUT, dial_tcp, join_host_port, split_host_port
from buildctl.transport.http1 import ask
from buildctl.transport.stream import ByteStream, Dial, dial_error

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080}


class Proxy(NamedTuple):
    """A proxy of the environment."""

    url: URL
    """Its scheme is one of those that are known."""
    variable: str
    """What names it."""

    @property
    def endpoint(self) -> str:
        """Its `host:port`."""
        return join_host_port(self.url.hostname, self.url.port or _DEFAULT_PORTS[self.url.scheme])

    def failure(self, reason: str, *, lasting: bool = False) -> ConnectError:
        """The error of a dial that the proxy was in the way of."""
        return dial_error(
            f"proxy {self.endpoint} of {self.variable}: {reason}", _hint(self.variable), lasting=lasting
        )


def proxy_dialer(endpoint: str, environ: Mapping[str, str]) -> Dial | None:
    """Dials `host:port` by way of the environment's proxy; None where there is none for it.

    Raises `UsageError` for one that cannot be used.
    """
    proxy = environment_proxy("https", endpoint, environ)
    return None if proxy is None else partial(_dial, proxy, endpoint)


def environment_proxy(scheme: str, endpoint: str, environ: Mapping[str, str]) -> Proxy | None:
    """The environment's proxy for requests of a scheme, `http` or `https`, to `host:port`.

    Raises `UsageError` for one that cannot be used.
    """
    names = (f"{scheme}_proxy".upper(), f"{scheme}_proxy")
    variable = next((name for name in names if environ.get(name)), "")
    if not variable:
        return None
    host, port = split_host_port(endpoint)
    if _goes_direct(host.lower(), port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    return Proxy(_parse_proxy(environ[variable], variable), variable)


def _parse_proxy(text: str, variable: str) -> URL:
    """The proxy's URL; a bare `host:port` is HTTP."""
    try:
        url = parse_url(text if "://" in text else f"http://{text}")
        if not url.hostname:
            raise UsageError("it has no host")
        if url.scheme not in _DEFAULT_PORTS:
            raise UsageError(f"a proxy cannot be reached by {url.scheme}")
        if url.port:
            split_host_port(url.host)
    except (UsageError, ConnectError) as error:
        # Who logs in there is not for everybody, however badly it is written.
        shown = re.sub(r"(?s)^([A-Za-z0-9+.-]+://)?.*@", r"\1***@", text)
        reason = error.reason if isinstance(error, ConnectError) else error.message
        why = "" if "@" in text else f": {reason}"
        raise UsageError(
            f"invalid proxy address {quote(shown)} in {variable}{why}", hint=_hint(variable)
        ) from None
    return url


def _hint(variable: str) -> str:
    return f"the proxy is named by {variable}; NO_PROXY lists hosts that need none"


def _goes_direct(host: str, port: str, exceptions: str) -> bool:
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    rules = (rule.strip().lower() for rule in exceptions.split(","))
    return any(_matches(rule, host, port, address) for rule in rules if rule)


def _matches(
    rule: str, host: str, port: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> bool:
    """Whether one entry of NO_PROXY means the host: `*`, a network, an address or a domain, maybe a port."""
    if rule == "*":
        return True
    with contextlib.suppress(ValueError):
        network = ipaddress.ip_network(rule, strict=False)
        return address is not None and address in network
    with contextlib.suppress(ConnectError):
        rule, rule_port = split_host_port(rule)
        if rule_port and rule_port != port:
            return False
    with contextlib.suppress(ValueError):
        with_port = ipaddress.ip_address(rule)
        return address == with_port
    domain = rule.removeprefix("*")
    if domain.startswith("."):
        return host.endswith(domain)
    return host == domain or host.endswith(f".{domain}")


async def _dial(proxy: Proxy, endpoint: str) -> ByteStream:
    try:
        stream = await dial_tcp(proxy.endpoint)
    except ConnectError as error:
        raise proxy.failure(error.reason) from None
    request = f"CONNECT {endpoint} HTTP/1.1\r\nHost: {endpoint}\r\n"
    if proxy.url.user is not None:
        credentials = f"{proxy.url.user}:{proxy.url.password or ''}".encode("utf-8", "surrogateescape")
        request += f"Proxy-Authorization: Basic {base64.b64encode(credentials).decode()}\r\n"
    try:
        async with asyncio.timeout(DIAL_TIMEOUT):
            answer = await ask(stream, f"{request}\r\n".encode())
    except (OSError, ValueError) as error:
        await stream.aclose()
        raise proxy.failure(
            "i/o timeout" if isinstance(error, TimeoutError) else "no answer to CONNECT"
        ) from None
    except BaseException:
        await stream.aclose()
        raise
    if answer.status != 200:
        await stream.aclose()
        raise proxy.failure(f"failed to do connect handshake: {answer.status} {answer.reason}")
    stream.early = answer.rest
    return stream
