"""Through an HTTP proxy to a daemon on another host, where the environment asks for one.

grpc-go's rules, not grpcio's: a daemon's proxy is HTTPS_PROXY's, NO_PROXY lists exceptions, in either case of
letters (golang.org/x/net/http/httpproxy); nothing on this machine is reached by way of a proxy.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
from collections.abc import Mapping
from functools import partial

from buildctl.errors import ConnectError, UsageError
from buildctl.model.url import URL, parse_url
from buildctl.transport.dial import DIAL_TIMEOUT, dial_tcp, join_host_port, split_host_port
from buildctl.transport.http1 import ask
from buildctl.transport.stream import ByteStream, Dial, dial_error

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080}
_HINT = "the proxy is named by HTTPS_PROXY; NO_PROXY lists hosts that need none"


def proxy_dialer(endpoint: str, environ: Mapping[str, str]) -> Dial | None:
    """Dials `host:port` by way of the environment's proxy; None where there is none for it."""
    proxy = environment_proxy("https", endpoint, environ)
    return None if proxy is None else partial(_dial, proxy, endpoint)


def environment_proxy(scheme: str, endpoint: str, environ: Mapping[str, str]) -> URL | None:
    """The environment's proxy for requests of a scheme, `http` or `https`, to `host:port`."""
    variable = f"{scheme}_proxy"
    text = environ.get(variable.upper()) or environ.get(variable) or ""
    if not text:
        return None
    host, port = split_host_port(endpoint)
    if _goes_direct(host.lower(), port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    return _parse_proxy(text)


def _parse_proxy(text: str) -> URL:
    """The proxy's URL; a bare `host:port` is HTTP."""
    with contextlib.suppress(UsageError):
        url = parse_url(text)
        if url.scheme in _DEFAULT_PORTS and url.hostname:
            return url
    return parse_url(f"http://{text}")


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


async def _dial(proxy: URL, endpoint: str) -> ByteStream:
    where = join_host_port(proxy.hostname, int(proxy.port or _DEFAULT_PORTS[proxy.scheme]))
    stream = await dial_tcp(where)
    request = f"CONNECT {endpoint} HTTP/1.1\r\nHost: {endpoint}\r\n"
    if proxy.user is not None:
        credentials = f"{proxy.user}:{proxy.password or ''}".encode("utf-8", "surrogateescape")
        request += f"Proxy-Authorization: Basic {base64.b64encode(credentials).decode()}\r\n"
    try:
        async with asyncio.timeout(DIAL_TIMEOUT):
            answer = await ask(stream, f"{request}\r\n".encode())
    except (OSError, ValueError) as error:
        await stream.aclose()
        said = "i/o timeout" if isinstance(error, TimeoutError) else "no answer to CONNECT"
        raise dial_error(f"proxy {where}: {said}", _HINT) from None
    except BaseException:
        await stream.aclose()
        raise
    if answer.status != 200:
        await stream.aclose()
        raise dial_error(
            f"proxy {where}: failed to do connect handshake: {answer.status} {answer.reason}", _HINT
        )
    stream.early = answer.rest
    return stream
