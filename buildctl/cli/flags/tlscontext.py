"""`--registry-auth-tlscontext host=H,ca=C`: trust of token servers. Source: registryauthtlscontext.go."""

from __future__ import annotations

from collections.abc import Iterable

from buildctl.cli.flags.csv import parse_attributes
from buildctl.cli.flags.scalar import parse_bool
from buildctl.errors import UsageError
from buildctl.model.offer import RegistryTLS

_FLAG = "--registry-auth-tlscontext"
_HINT = f"for example {_FLAG} host=registry.example,ca=/etc/ssl/registry.pem"


def parse_tls_contexts(values: Iterable[str]) -> dict[str, RegistryTLS]:
    """By host as the daemon names it; what several values say of a host adds up. Raises `UsageError`."""
    contexts: dict[str, RegistryTLS] = {}
    for text in values:
        host, context = _parse(text)
        earlier = contexts.get(host, RegistryTLS())
        contexts[host] = RegistryTLS(
            earlier.authorities + context.authorities,
            earlier.key_pairs + context.key_pairs,
            earlier.insecure or context.insecure,
        )
    return contexts


def _parse(text: str) -> tuple[str, RegistryTLS]:
    attrs = parse_attributes(text)
    host, ca, cert, key = (attrs.get(name, "") for name in ("host", "ca", "cert", "key"))
    insecure = _is_true(attrs.get("insecure", ""))
    if not host:
        raise UsageError(f"{_FLAG} requires host=<host>", hint=_HINT)
    if not ca and not insecure and not (cert and key):
        raise UsageError(f"{_FLAG} requires ca=<ca> or cert=<cert>,key=<key> or insecure=true", hint=_HINT)
    if ca and bool(cert) != bool(key):
        raise UsageError(f"{_FLAG} requires cert=<cert>,key=<key>", hint=_HINT)
    pairs = ((cert, key),) if cert and key else ()
    return host, RegistryTLS((ca,) if ca else (), pairs, insecure)


def _is_true(text: str) -> bool:
    try:
        return parse_bool(text)
    except UsageError:
        return False  # the reference does not say so either
