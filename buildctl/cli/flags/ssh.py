"""`--ssh default=key1,key2`: an agent offered under an id. Source: build/ssh.go of the reference."""

from __future__ import annotations

from buildctl.cli.flags.scalar import parse_bool
from buildctl.errors import UsageError
from buildctl.model.offer import AgentSource
from buildctl.model.quote import quote


def parse_agent(text: str) -> AgentSource:
    """`[ID][=PATH[,PATH...][,raw=BOOL]]`: the paths are one socket, or private keys. Raises `UsageError`."""
    name, equals, value = text.partition("=")
    raw = False
    paths = []
    for element in value.split(",") if equals else ():
        key, has_value, flag = element.partition("=")
        if has_value and key == "raw":
            try:
                raw = parse_bool(flag)
            except UsageError as error:
                raise UsageError(f"invalid value for 'raw': {flag}: {error}") from None
        else:
            paths.append(element)
    if raw and len(paths) != 1:
        raise UsageError(
            f"raw mode must supply exactly one socket path for {quote(name)}",
            hint="for example --ssh docker=/run/user/1000/docker.sock,raw=true",
        )
    return AgentSource(name or "default", tuple(paths), raw)
