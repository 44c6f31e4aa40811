"""One HTTP request to a token server: blocking, so for a worker thread; small answers; redirects followed.

urllib would send the user's credentials along to wherever it is redirected, and reads the proxy from the
process's environment; Go does neither.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from buildctl.errors import BuildctlError
from buildctl.model.offer import RegistryTLS
from buildctl.transport.dial import join_host_port
from buildctl.transport.proxy import Proxy, environment_proxy
from buildctl.transport.tls import load_pair, read_authorities, read_pair, refuse_common_names

_SECONDS = 30.0
_BODY_BYTES = 1 << 20
_MAX_REDIRECTS = 10
_PORTS = {"http": 80, "https": 443}
_SEE_OTHER = (301, 302, 303)
_SAME_AGAIN = (307, 308)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back in the end."""

    status: int
    body: bytes


def request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    tls: ssl.SSLContext | None,
    environ: Mapping[str, str],
) -> Response:
    """Raises `BuildctlError` naming the request when there is no answer to it.

    The system's certificates are trusted where no `tls` is given; `environ` names proxies.
    """
    headers, asked = dict(headers), f'{method.capitalize()} "{url}"'
    try:
        for _ in range(_MAX_REDIRECTS):
            response, location = _once(method, url, urlsplit(url), headers, body, tls, environ)
            if not location or response.status not in _SEE_OTHER + _SAME_AGAIN:
                return response
            came_from, url = url, urljoin(url, location)
            if _origin(came_from) != _origin(url):
                headers.pop("Authorization", None)
                if body is not None and response.status in _SAME_AGAIN:
                    raise BuildctlError(
                        f"{asked}: redirected elsewhere, where the password is not sent",
                        hint="the registry names its token server wrongly, or somebody wants the password",
                    )
            if response.status in _SEE_OTHER:
                method, body = "GET", None
                headers.pop("Content-Type", None)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BuildctlError(f"{asked}: {_reason(error)}") from None
    raise BuildctlError(f"{asked}: stopped after {_MAX_REDIRECTS} redirects")


def _origin(url: str) -> tuple[str, str, int | None]:
    """Whom a URL trusts with what is sent to it: scheme, host and port."""
    target = urlsplit(url)
    return target.scheme, target.hostname or "", target.port or _PORTS.get(target.scheme)


def _reason(error: Exception) -> str:
    """Why there is no answer, without a word of what answered: it need not be a token server."""
    if isinstance(error, http.client.HTTPException):
        return "what answers there does not speak HTTP"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _once(
    method: str,
    url: str,
    target: SplitResult,
    headers: Mapping[str, str],
    body: bytes | None,
    tls: ssl.SSLContext | None,
    environ: Mapping[str, str],
) -> tuple[Response, str]:
    """The response and where it redirects to."""
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    connection, proxy, relayed = _connection(target, tls, environ)
    if relayed is not None:  # a proxy takes the whole URL
        path, headers = url, {**headers, **relayed}
    try:
        _connect(connection, proxy)
        connection.request(method, path, body, {"Host": target.netloc.rpartition("@")[2], **headers})
        answer = connection.getresponse()
        content = answer.read(_BODY_BYTES)
    finally:
        connection.close()
    return Response(answer.status, content), answer.headers.get("Location", "")


def _connect(connection: http.client.HTTPConnection, proxy: Proxy | None) -> None:
    try:
        connection.connect()
    except OSError as error:
        if proxy is None or isinstance(error, ssl.SSLError):
            raise
        reason = error.strerror or str(error)
        raise ConnectionError(f"proxy {proxy.endpoint} of {proxy.variable}: {reason}") from None


def _connection(
    target: SplitResult, tls: ssl.SSLContext | None, environ: Mapping[str, str]
) -> tuple[http.client.HTTPConnection, Proxy | None, Mapping[str, str] | None]:
    """Not connected yet; its proxy; and headers for one that reads each request."""
    if target.scheme not in _PORTS:
        raise ValueError(f'unsupported protocol scheme "{target.scheme}"')
    if not target.hostname:
        raise ValueError("no Host in request URL")
    port = target.port or _PORTS[target.scheme]
    proxy = environment_proxy(target.scheme, join_host_port(target.hostname, port), environ)
    host, proxy_headers = (target.hostname, port), {}
    if proxy is not None:
        if proxy.url.scheme != "http":
            raise ValueError(
                f"the proxy of {proxy.variable}: {proxy.url.scheme} is not supported for token servers"
            )
        host = proxy.url.hostname, int(proxy.url.port or _PORTS["http"])
        if proxy.url.user is not None:
            text = f"{proxy.url.user}:{proxy.url.password or ''}".encode("utf-8", "surrogateescape")
            login = base64.b64encode(text).decode()
            proxy_headers["Proxy-Authorization"] = f"Basic {login}"
    if target.scheme == "http":
        return http.client.HTTPConnection(*host, timeout=_SECONDS), proxy, proxy_headers if proxy else None
    context = tls or trust()
    connection = http.client.HTTPSConnection(*host, timeout=_SECONDS, context=context)
    if proxy is not None:
        connection.set_tunnel(target.hostname, port, headers=proxy_headers)
    return connection, proxy, None


def trust(how: RegistryTLS | None = None) -> ssl.SSLContext:
    """The system's authorities and what the user adds. Raises `BuildctlError` naming a bad file."""
    context = ssl.create_default_context()
    refuse_common_names(context)
    if how is None:
        return context
    for path in how.authorities:
        context.load_verify_locations(cadata=read_authorities(path).decode("ascii"))
    for certificate, key in how.key_pairs:
        load_pair(context, *read_pair(certificate, key))
    if how.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
