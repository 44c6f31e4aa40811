"""Where a daemon is: the text a user gives, read once, and the TLS files that go with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.model.url import URL, parse_url

DEFAULT_ADDRESS = "unix:///run/buildkit/buildkitd.sock"

SOCKETS = ("unix", "unix-abstract")
"""The schemes of sockets on this machine."""

FLEETS = ("pool", "kube", "dns+tcp")
"""The schemes of addresses that are several daemons; `pool` is several addresses with commas between."""

KUBE_KINDS = ("pod", "deployment", "statefulset", "service")

# A comma is part of an address unless another one begins after it.
_NEXT_ADDRESS = r",(?=[A-Za-z][A-Za-z0-9+.-]*://)"

# Kubernetes' names, their length left open (client/connhelper/kubepod).
_KUBE_NAME = r"[-a-z0-9.]+"


class Address(NamedTuple):
    """One place where a daemon may be reached; what each scheme means is the transport's matter."""

    text: str
    """What the user gave."""
    scheme: str = ""
    """`unix`, `tcp`, `docker`, ...; empty for a bare `host:port`."""
    user: str = ""
    hostname: str = ""
    """The host, or the container's or pod's name, without port and brackets."""
    port: str = ""
    path: str = ""
    """A socket's path; for `unix-abstract` its name."""
    query: Mapping[str, str] = MappingProxyType({})
    endpoint: str = ""
    """What is dialled with TCP, as given: `host:port` where the address is a good one."""
    host: str = ""
    """The URL's host and port, which becomes the `:authority` of calls."""
    members: tuple[Address, ...] = ()
    """Of a `pool`, the addresses it lists: each that of a daemon, or of several again."""

    @property
    def is_fleet(self) -> bool:
        """Whether it may lead to several daemons, of which one is to be chosen."""
        return self.scheme in FLEETS


class TLSOptions(NamedTuple):
    """The files and the name of a TLS connection; all empty where there is to be none."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    directory: str = ""
    """A folder that holds the three files under their conventional names."""
    server_name: str = ""
    """The name the daemon's certificate must carry; empty means the address's host."""

    @property
    def wanted(self) -> bool:
        """Whether the connection is to be encrypted: a name alone asks for nothing."""
        return bool(self.ca or self.cert or self.key or self.directory)


def parse_address(text: str, *, takes_words: bool = False) -> Address:
    """What `text` means: `parse_address("tcp://builder:1234")`. Empty text is the default address.

    Several addresses with commas between are a pool. Raises `UsageError` in the reference's words. A bare
    word or path is refused, unless `takes_words`: the
    command line reads it as the reference does, as a host.
    """
    text = text or DEFAULT_ADDRESS
    if "," in text and len(parts := re.split(_NEXT_ADDRESS, text)) > 1:
        listed = dict.fromkeys(parts)  # one that is there twice is one daemon
        return Address(text, "pool", members=tuple(parse_address(part) for part in listed))
    if name := _abstract_name(text):
        return Address(text, "unix-abstract", path=name)
    if text.startswith("kube://"):
        return _parse_kube(text)
    url = parse_url(text)
    if validate := _VALIDATORS.get(url.scheme):
        validate(text, url)
    scheme, path, endpoint = url.scheme, url.path, text
    if url.scheme in SOCKETS:
        path = url.path or url.opaque
    elif url.scheme in ("tcp", "docker", "dns+tcp"):
        endpoint = url.host
    elif url.scheme in ("dns", "passthrough"):
        endpoint = (url.path or url.opaque).removeprefix("/")
    elif url.scheme not in _VALIDATORS:
        if not takes_words:
            _validate_bare(text, url)
        scheme = ""  # `localhost:1234` reads as a scheme; the resolver knows none such and dials the text
    return Address(
        text=text,
        scheme=scheme,
        user=url.user or "",
        hostname=url.hostname,
        port=url.port,
        path=path,
        query=url.query,
        endpoint=endpoint,
        host=url.host,
    )


def socket_path(address: Address) -> str:
    """What the system calls the socket of such an address: an abstract name has a NUL before it."""
    return "\0" + address.path if address.scheme == "unix-abstract" else address.path


def _abstract_name(text: str) -> str:
    """The name in `unix:@NAME`, which Go dials as a socket of the abstract namespace."""
    scheme, _, rest = text.partition(":")
    name = rest.removeprefix("//")
    return name[1:] if scheme.lower() == "unix" and name.startswith("@") else ""


def _parse_kube(text: str) -> Address:
    """`kube://[CONTEXT/]NAMESPACE/KIND/NAME` or `kube://[CONTEXT/]NAMESPACE?selector=LABELS`.

    Not read as a URL: names of contexts have colons, slashes and at signs in them.
    """
    from urllib.parse import parse_qsl, unquote

    place, _, raw_query = text.removeprefix("kube://").partition("?")
    query = dict(parse_qsl(raw_query, keep_blank_values=True))
    segments = place.strip("/").split("/")
    kind = name = ""
    if "selector" not in query and len(segments) > 2:
        kind, name = segments[-2:]
        segments = segments[:-2]
    context, namespace = unquote("/".join(segments[:-1])), segments[-1]
    known = not query.keys() - {"selector", "container"}
    if not known or not namespace or not (query.get("selector") or kind in KUBE_KINDS):
        raise UsageError(
            f"not an address of pods: {quote(text)}",
            hint=f"give it as kube://[CONTEXT/]NAMESPACE/KIND/NAME, KIND being {', '.join(KUBE_KINDS)}, "
            "or kube://[CONTEXT/]NAMESPACE?selector=LABELS; ?container=NAME says which of a pod's",
        )
    if not re.fullmatch(_KUBE_NAME, namespace):
        raise UsageError(f"unsupported namespace name: {quote(namespace)}")
    if kind and not re.fullmatch(_KUBE_NAME, name):
        raise UsageError(f"unsupported {kind} name: {quote(name)}")
    query |= {"context": context, "namespace": namespace, "kind": kind}
    return Address(text, "kube", hostname=name, query=MappingProxyType(query))


def _validate_names(text: str, url: URL) -> None:
    service = url.hostname.startswith("_")
    unknown = url.query.keys() - {"server"}
    if not url.hostname or url.user is not None or url.path not in ("", "/") or unknown:
        wrong = "not a name of daemons"
    elif bool(url.port) == service:
        wrong = "a service's records say the port" if service else "missing port in address"
    else:
        return
    raise UsageError(
        f"{wrong}: {quote(text)}",
        hint="give dns+tcp://NAME:PORT for all addresses of a host, dns+tcp://_SERVICE._tcp.NAME for SRV "
        "records; ?server=IP:PORT says which name server is asked",
    )


def _validate_bare(text: str, url: URL) -> None:
    """grpc-go would look a single word up as a host with port 443, where no BuildKit listens."""
    if not (url.scheme or url.host) and ":" not in text:
        near = f"unix://{text}" if text.startswith("/") else f"tcp://{text.split('/')[0]}:1234"
        raise UsageError(
            f"not an address: {quote(text)}",
            hint=f"an address says how to get there: {near}, docker://, ssh://host",
        )


def _validate_unix(text: str, url: URL) -> None:
    if url.host:
        raise UsageError(
            f"failed to dial {quote(text)} . make sure buildkitd is running: failed to exit idle mode: "
            f"failed to start resolver: invalid (non-empty) authority: {url.host}",
            hint=f"a socket's path follows three slashes: unix:///{url.host}{url.path}",
        )


def _validate_container(text: str, url: URL) -> None:
    if not url.hostname:
        raise UsageError("url lacks container name", hint=f"give it as {url.scheme}://NAME")


def _validate_pod(text: str, url: URL) -> None:
    namespace, container = url.query.get("namespace", ""), url.query.get("container", "")
    if namespace and not re.fullmatch(_KUBE_NAME, namespace):
        raise UsageError(f"unsupported namespace name: {quote(namespace)}")
    if not url.hostname:
        raise UsageError("url lacks pod name", hint="give it as kube-pod://POD")
    if not re.fullmatch(_KUBE_NAME, url.hostname):
        raise UsageError(f"unsupported pod name: {quote(url.hostname)}")
    if container and not re.fullmatch(_KUBE_NAME, container):
        raise UsageError(f"unsupported container name: {quote(container)}")


def _validate_ssh(text: str, url: URL) -> None:
    if url.password is not None:
        raise UsageError("plain-text password is not supported", hint="let ssh find a key, or ask")
    if not url.hostname:
        raise UsageError("no host specified", hint="give it as ssh://[user@]host[:port][/path/to.sock]")
    if url.raw_query:
        raise UsageError(f"extra query after the host: {quote(url.raw_query)}")
    if url.fragment:
        raise UsageError(f"extra fragment after the host: {quote(url.fragment)}")


def _validate_npipe(text: str, url: URL) -> None:
    raise UsageError("npipe connections are only supported on windows")


def _validate_docker(text: str, url: URL) -> None:
    if url.opaque or url.user is not None or (url.host and url.path not in ("", "/")):
        raise UsageError(
            f"not an address of a Docker Engine: {quote(text)}",
            hint="give docker:// (DOCKER_HOST or the default socket), docker:///path/docker.sock "
            "or docker://host:port",
        )


def _validate_daemonless(text: str, url: URL) -> None:
    if url.opaque or url.host or url.path:
        raise UsageError(f"nothing may follow daemonless://, got {quote(text)}")


_VALIDATORS = {
    "unix": _validate_unix,
    "docker-container": _validate_container,
    "podman-container": _validate_container,
    "nerdctl-container": _validate_container,
    "kube-pod": _validate_pod,
    "ssh": _validate_ssh,
    "npipe": _validate_npipe,
    "docker": _validate_docker,
    "daemonless": _validate_daemonless,
    "dns+tcp": _validate_names,
}
