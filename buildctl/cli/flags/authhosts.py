"""`--registry-auth-hosts HOST,...`: the registries for which a daemon may ask who the user is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from buildctl.errors import UsageError
from buildctl.model.imagename import canonical_host
from buildctl.model.quote import quote

_FLAG = "--registry-auth-hosts"
_HINT = f"for example {_FLAG} auto, {_FLAG} none or {_FLAG} registry.example,*.corp.example:5000"
_PATTERN = re.compile(r"[A-Za-z0-9._:*\[\]-]+")


class AuthHosts(NamedTuple):
    """What the flags say."""

    patterns: tuple[str, ...] = ("*",)
    """Hosts with their ports, in which `*` stands for anything."""
    auto: bool = False
    """Whether the registries that the build names are meant too."""
    named: frozenset[str] = frozenset()
    """These, once they are known."""

    def admits(self, host: str) -> bool:
        """Whether a pattern means the host, whatever the case; a port counts as part of it."""
        host = canonical_host(host)
        matches = (re.fullmatch(_expression(pattern), host) for pattern in self.patterns)
        return host in self.named or any(matches)


def parse_auth_hosts(values: Iterable[str]) -> AuthHosts:
    """What several values say adds up; all hosts without any. Raises `UsageError`."""
    words = [word.strip() for text in values for word in text.split(",")]
    if not words:
        return AuthHosts()
    for word in words:
        if not _PATTERN.fullmatch(word):
            raise UsageError(f"{_FLAG}: {quote(word)} is not a registry's host", hint=_HINT)
    if "none" in words and len(words) > 1:
        raise UsageError(f"{_FLAG}: none goes with nothing else", hint=_HINT)
    patterns = tuple(canonical_host(word) for word in words if word not in ("auto", "none"))
    return AuthHosts(patterns, "auto" in words)


def _expression(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("*")))
