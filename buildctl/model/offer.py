"""What this machine offers a build: secrets, SSH agents, and whose token servers it trusts."""

from __future__ import annotations

from typing import NamedTuple


class SecretSource(NamedTuple):
    """Where a secret comes from when a step asks for it: its value, else a variable, else a file."""

    id: str
    path: str = ""
    env: str = ""
    """The name of a variable."""
    value: bytes | None = None
    """The secret itself, which `repr` does not show."""

    def __repr__(self) -> str:
        value = "" if self.value is None else ", value=…"
        return f"SecretSource(id={self.id!r}, path={self.path!r}, env={self.env!r}{value})"


class AgentSource(NamedTuple):
    """An SSH agent offered under an id: one socket, or private keys."""

    id: str = "default"
    paths: tuple[str, ...] = ()
    """Empty for the user's own agent."""
    raw: bool = False
    """Whether the socket is forwarded as it is, whatever is spoken on it."""


class RegistryTLS(NamedTuple):
    """How the token server of a registry is trusted. All paths are PEM files."""

    authorities: tuple[str, ...] = ()
    """CA certificates, trusted besides the system's."""
    key_pairs: tuple[tuple[str, str], ...] = ()
    """Client certificates with their keys."""
    insecure: bool = False
    """Whether any certificate will do."""
