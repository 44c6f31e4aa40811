"""URLs read as Go's net/url reads them, so that an address means here what it means to the reference.

The standard library's urlsplit accepts and repairs what net/url refuses (a first segment with a colon, a
port that is no number, a bad escape), and scripts see those refusals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from buildctl.errors import UsageError
from buildctl.model.quote import quote

# Compiled when they are needed, as urllib is loaded: most addresses are the path of a socket.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*"
_BAD_ESCAPE = r"(?s)%(?![0-9A-Fa-f]{2}).{0,2}"
_ASCII_ESCAPE = r"%(?!25)[0-7][0-9A-Fa-f]"
_NOT_IN_HOST = r"[\x00-\x7f](?<![A-Za-z0-9!$&'()*+,;=:\[\]<>\"\-_.~%])"
_NOT_IN_USERINFO = r"[^A-Za-z0-9\-._:~!$&'()*+,;=%@]"
_PORT = r"(:[0-9]*)?"


class URL(NamedTuple):
    """The parts of a URL, unescaped where net/url unescapes them."""

    scheme: str = ""
    opaque: str = ""
    """What follows `scheme:` where that is no slash."""
    user: str | None = None
    password: str | None = None
    host: str = ""
    """Host and port, brackets kept."""
    path: str = ""
    raw_query: str = ""
    fragment: str = ""
    query: Mapping[str, str] = MappingProxyType({})
    """The first value of each key."""

    @property
    def hostname(self) -> str:
        """The host without port and brackets."""
        if self.host.startswith("["):
            return self.host[1:].partition("]")[0]
        return self.host.rpartition(":")[0] if ":" in self.host else self.host

    @property
    def port(self) -> str:
        """The port's digits, empty where there are none."""
        rest = self.host.rpartition("]")[2]
        return rest.rpartition(":")[2] if ":" in rest else ""


class _NotAURLError(Exception):
    """Why a text is no URL, in net/url's words."""


def parse_url(text: str) -> URL:
    """The parts of `text`; raises UsageError with net/url's message."""
    before, _, fragment = text.partition("#")
    try:
        return _parse(before, fragment)
    except _NotAURLError as why:
        raise UsageError(f"parse {quote(before)}: {why}") from None


def _parse(text: str, raw_fragment: str) -> URL:
    if any(character < " " or character == "\x7f" for character in text):
        raise _NotAURLError("net/url: invalid control character in URL")
    fragment = _unescape(raw_fragment)
    scheme, rest = _split_scheme(text)
    rest, _, raw_query = rest.partition("?")
    query: dict[str, str] = {}
    if raw_query:
        from urllib.parse import parse_qsl

        for key, value in parse_qsl(raw_query, keep_blank_values=True):
            query.setdefault(key, value)
    if scheme and not rest.startswith("/"):
        return URL(scheme, opaque=rest, raw_query=raw_query, fragment=fragment, query=query)
    if not rest.startswith("/") and ":" in rest.partition("/")[0]:
        raise _NotAURLError("first path segment in URL cannot contain colon")
    user = password = None
    host = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        userinfo, at, raw_host = authority.rpartition("@")
        host = _parse_host(raw_host)
        if at:
            user, password = _parse_userinfo(userinfo)
    return URL(
        scheme,
        user=user,
        password=password,
        host=host,
        path=_unescape(rest),
        raw_query=raw_query,
        fragment=fragment,
        query=query,
    )


def _split_scheme(text: str) -> tuple[str, str]:
    scheme, colon, rest = text.partition(":")
    if not colon:
        return "", text
    if not scheme:
        raise _NotAURLError("missing protocol scheme")
    return (scheme.lower(), rest) if re.fullmatch(_SCHEME, scheme) else ("", text)


def _parse_userinfo(text: str) -> tuple[str, str | None]:
    if re.search(_NOT_IN_USERINFO, text):
        raise _NotAURLError("net/url: invalid userinfo")
    user, colon, password = text.partition(":")
    return _unescape(user), _unescape(password) if colon else None


def _parse_host(text: str) -> str:
    if not text:
        return ""
    if text.startswith("["):
        _, bracket, port = text.rpartition("]")
        if not bracket:
            raise _NotAURLError("missing ']' in host")
    else:
        port = text[text.rfind(":") :] if ":" in text else ""
    if not re.fullmatch(_PORT, port):
        raise _NotAURLError(f"invalid port {quote(port)} after host")
    if escape := re.search(_ASCII_ESCAPE, text):
        raise _NotAURLError(f"invalid URL escape {quote(escape[0])}")
    if bad := re.search(_NOT_IN_HOST, text):
        raise _NotAURLError(f"invalid character {quote(bad[0])} in host name")
    return _unescape(text)


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote_to_bytes

    if escape := re.search(_BAD_ESCAPE, text):
        raise _NotAURLError(f"invalid URL escape {quote(escape[0])}")
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
