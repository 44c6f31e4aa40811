"""What a git URL becomes as the identifier and the full URL of a source (util/gitutil/git_url.go)."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from buildctl.errors import UsageError
from buildctl.llb import gopath
from buildctl.model.url import URL, parse_url

_SCHEME = re.compile("[a-zA-Z0-9]+://")
_SCHEMES = ("http", "https", "ssh", "git")
_SCP = re.compile(r"([a-zA-Z0-9_-]+)@([a-zA-Z0-9.-]+):([^\n]*?)(?:\?([^\n]*?))?(?:#([^\n]*))?\Z")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


class Remote(NamedTuple):
    """A repository; `parsed` says whether host and path are known, or `identifier` is the text as it came."""

    identifier: str
    url: str
    ssh: bool = False
    parsed: bool = True


def git_remote(text: str) -> Remote:
    """The remote without query and fragment. A text that is not a URL is kept, for the daemon to refuse."""
    try:
        found = _parse(text)
        if found is None:
            text = f"https://{text}"
            found = _parse(text)
    except UsageError:
        found = None
    return found or Remote(text, text, parsed=False)


def _parse(text: str) -> Remote | None:
    if scheme := _SCHEME.match(text):
        if scheme[0][:-3].lower() not in _SCHEMES:
            raise UsageError(f"invalid protocol: {scheme[0][:-3].lower()}")
        url = parse_url(text)
        _check_host(url)
        return Remote(url.host + gopath.join("/", url.path), _written(text, url), url.scheme == "ssh")
    matched = _SCP.match(text)
    if matched is None or not _query_parses(matched[4] or ""):
        return None
    user, host, path = matched[1], matched[2], matched[3]
    return Remote(host + gopath.join("/", path), f"{user}@{host}:{path}", ssh=True)


def _check_host(url: URL) -> None:
    """What newer versions of net/url refuse, too: brackets without an IPv6 address, colons in names."""
    if "[" in url.host:
        try:
            ipaddress.IPv6Address(url.host.rpartition("]")[0].removeprefix("["))
        except ValueError:
            raise UsageError("invalid IP-literal") from None
    elif url.scheme in ("http", "https") and url.host.count(":") > 1:
        raise UsageError("invalid port after host")


def _query_parses(query: str) -> bool:
    """Whether Go's url.ParseQuery would take it."""
    return not any(";" in pair or _BAD_ESCAPE.search(pair) for pair in query.split("&"))


_UNRESERVED = r"A-Za-z0-9._~\-"
_PATH_AS_IT_IS = re.compile(rf"(?:[{_UNRESERVED}!'()*\[\]$&+,/:;=@]|%[0-9A-Fa-f]{{2}})*\Z")


def _written(text: str, url: URL) -> str:
    """The URL as net/url writes it, without query and fragment (URL.String, EscapedPath)."""
    from urllib.parse import quote

    def escaped(part: str, safe: str) -> str:
        return quote(part.encode("utf-8", "surrogateescape"), safe)

    rest = text.partition("#")[0].partition("?")[0].partition("://")[2]
    raw_path = rest[rest.find("/") :] if "/" in rest else ""
    userinfo = ""
    if url.user is not None:
        userinfo = escaped(url.user, "$&+,;=")
        if url.password is not None:
            userinfo += f":{escaped(url.password, '$&+,;=')}"
        userinfo += "@"
    host = escaped(url.host, "!$&'()*+,;=:[]<>\"")
    path = raw_path if _PATH_AS_IT_IS.match(raw_path) else escaped(url.path, "$&+,/:;=@")
    slashes = "//" if host or path or userinfo else ""
    before = text.partition("#")[0]
    mark = "?" if before.endswith("?") and before.count("?") == 1 else ""  # net/url keeps an empty query
    return f"{url.scheme}:{slashes}{userinfo}{host}{path}{mark}"
