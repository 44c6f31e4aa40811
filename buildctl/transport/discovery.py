"""Which daemon is meant: what the user chose, else the default socket, else what this machine has.

The reference knows the first two only. Where nobody chose and the default socket does not exist, what would
be an error there becomes a search here, and the finding is said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from buildctl.errors import UsageError
from buildctl.model.address import DEFAULT_ADDRESS, Address, parse_address


class Choice(NamedTuple):
    """An address, and the line for standard error that says how it was come by."""

    address: Address
    notice: str = ""
    """Empty where the user chose, or where the default daemon is there."""


def choose_address(explicit: str | None, environ: Mapping[str, str], *, takes_words: bool = False) -> Choice:
    """The daemon that is meant by `--addr`, BUILDKIT_HOST, or nothing at all.

    An empty `--addr` is a choice: the default address, whatever the variable says, and no search.
    `takes_words` is as in `parse_address`.
    """
    if explicit is not None:
        return Choice(parse_address(explicit, takes_words=takes_words))
    if chosen := environ.get("BUILDKIT_HOST", ""):
        return Choice(parse_address(chosen, takes_words=takes_words))
    default = parse_address(DEFAULT_ADDRESS)
    if os.path.lexists(default.path):
        return Choice(default)
    missing = f"{default.path} does not exist"
    if runtime := environ.get("XDG_RUNTIME_DIR", ""):
        rootless = os.path.join(runtime, "buildkit", "buildkitd.sock")
        if os.path.exists(rootless):
            return Choice(
                parse_address(f"unix://{rootless}"), f"{missing}; using rootless buildkitd at {rootless}"
            )
    if engine := _engine(environ):
        return Choice(parse_address("docker://"), f"{missing}; using the Docker Engine at {engine}")
    if program := _startable(environ):
        return Choice(parse_address("daemonless://"), f"{missing}; starting {program} for this command")
    return Choice(default)


def _engine(environ: Mapping[str, str]) -> str:
    """Where `docker://` would lead, if that is a remote place or a socket that exists."""
    from buildctl.transport.engine import engine_address

    try:
        address = engine_address(parse_address("docker://"), environ)
    except UsageError:
        return ""
    return address.text if address.scheme != "unix" or os.path.exists(address.path) else ""


def _startable(environ: Mapping[str, str]) -> str:
    """The daemon that can be started here: a dockerd only by root."""
    from buildctl.transport.daemonless import daemon_program

    program = daemon_program(environ)
    return program if program == "buildkitd" or os.geteuid() == 0 else ""
