"""Which daemon is meant and how it is reached, out of flags, variables and settings, and who said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from buildctl.cli.app import TLS_VARIABLES, GlobalFlags
from buildctl.cli.settings.load import Settings
from buildctl.errors import UsageError
from buildctl.model.quote import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

_TLS = {variable.removeprefix("BUILDKIT_").replace("_", "").lower(): variable for variable in TLS_VARIABLES}
"""Names of flags and their variables."""


class Origin(NamedTuple):
    """A value and who said it: `--addr`, a variable, or a settings file."""

    value: str
    by: str


def resolve_daemon(
    flags: GlobalFlags, settings: Settings, variables: Mapping[str, str]
) -> tuple[GlobalFlags, dict[str, Origin]]:
    """The flags with the address and the TLS files that hold, and the origin of each that is not empty.

    A flag counts more than a variable, that more than the project, that more than the user. Who says the
    address brings its TLS files; flags and variables for these count more. Raises `UsageError` for the name
    of a daemon that is not known.
    """
    origins: dict[str, Origin] = {}
    if flags.addr:
        origins["addr"] = Origin(flags.addr, "--addr")
    elif flags.daemon or not variables.get("BUILDKIT_HOST", ""):
        _take_named(flags, settings, origins)
    else:
        origins["addr"] = Origin(variables["BUILDKIT_HOST"], "BUILDKIT_HOST")
    for name, variable in _TLS.items():
        if value := getattr(flags, name):
            origins[name] = Origin(value, f"--{name}")
        elif value := variables.get(variable, ""):
            origins[name] = Origin(value, variable)
    said = {name: origin.value for name, origin in origins.items()}
    return (
        flags._replace(
            addr=said.get("addr", flags.addr),
            tlsservername=said.get("tlsservername", ""),
            tlscacert=said.get("tlscacert", ""),
            tlscert=said.get("tlscert", ""),
            tlskey=said.get("tlskey", ""),
            tlsdir=said.get("tlsdir", ""),
        ),
        origins,
    )


def _take_named(flags: GlobalFlags, settings: Settings, origins: dict[str, Origin]) -> None:
    said = settings.daemon_name()
    name = flags.daemon or (said.value if said else "")
    if not name:
        return
    daemon = settings.daemon(name)
    if daemon is None:
        by = "" if flags.daemon or said is None else f", which {said.source.path} names"
        known = ", ".join(settings.daemons()) or "none"
        raise UsageError(
            f"there is no daemon {quote(name)}{by}",
            hint=f"known are: {known}; buildctl daemon add NAME ADDRESS adds one",
        )
    for key, value in daemon.value.items():
        origins[key] = Origin(value, f"daemon {name}, {daemon.source.origin}")
