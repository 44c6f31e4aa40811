"""`buildctl daemon import`: takes over buildx's builders and Docker's contexts as named daemons."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.daemon.add import check_name
from buildctl.cli.grammar import Command
from buildctl.errors import UsageError
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_found

_LIMIT = 1 << 20
_TLS_OPTIONS = {"cacert": "tlscacert", "cert": "tlscert", "key": "tlskey", "servername": "tlsservername"}


class Found(NamedTuple):
    """A builder or context: a daemon for the settings, or why it is none."""

    name: str
    daemon: Mapping[str, str]
    reason: str = ""


@click.command("import", cls=Command, epilog="$ buildctl daemon import")
@pass_app
def command(app: App) -> None:
    """Name the daemons of buildx's builders and Docker's contexts; names that are taken stay as they are.

    What cannot be taken over, such as an ssh:// context of Docker, is said on standard error.
    """
    from buildctl.cli.settings.store import UserFile

    variables = app.environment.variables
    docker = variables.get("DOCKER_CONFIG") or os.path.join(variables.get("HOME", ""), ".docker")
    buildx = variables.get("BUILDX_CONFIG") or os.path.join(docker, "buildx")
    file = UserFile(variables)
    for found in (*_builders(buildx), *_contexts(docker)):
        reason = found.reason or ("the name is taken" if found.name in file.daemons else "")
        if not reason:
            try:
                check_name(found.name)
            except UsageError as error:
                reason = str(error)
        if reason:
            app.output.say(f"{found.name}: left out: {reason}\n")
            continue
        file.add(found.name, found.daemon)
        app.output.write(f"{found.name} {found.daemon['addr']}\n")
    file.save()


def _builders(folder: str) -> Iterator[Found]:
    """Those of buildx. Source: docker/buildx, store/nodegroup.go and driver/*/factory.go."""
    for path in _files(os.path.join(folder, "instances")):
        fields = _read(path)
        name = str(fields.get("Name", os.path.basename(path)))
        driver = fields.get("Driver")
        nodes = [node for node in fields.get("Nodes") or [] if isinstance(node, dict)]
        if len(nodes) != 1:
            yield Found(name, {}, f"it has {len(nodes)} nodes")
            continue
        (node,) = nodes
        options = node.get("DriverOpts") or {}
        if driver == "remote":
            tls = {ours: str(options[theirs]) for theirs, ours in _TLS_OPTIONS.items() if options.get(theirs)}
            yield Found(name, {"addr": str(node.get("Endpoint", "")), **tls})
        elif driver == "docker-container":
            yield Found(name, {"addr": f"docker-container://buildx_buildkit_{node.get('Name', name)}"})
        elif driver == "docker":
            yield Found(name, {"addr": "docker://"})
        else:
            yield Found(name, {}, f"the driver {driver} has no address of its own")


def _contexts(docker: str) -> Iterator[Found]:
    """Those of Docker. Source: docker/cli, cli/context/store."""
    for path in _files(os.path.join(docker, "contexts", "meta"), "meta.json"):
        fields = _read(path)
        name = str(fields.get("Name", ""))
        host = str(((fields.get("Endpoints") or {}).get("docker") or {}).get("Host", ""))
        scheme, _, rest = host.partition("://")
        if scheme not in ("unix", "tcp"):
            yield Found(name, {}, f"docker:// does not lead to {host or 'an unnamed host'}")
            continue
        folder = os.path.join(docker, "contexts", "tls", hashlib.sha256(name.encode()).hexdigest(), "docker")
        tls = {"tlsdir": folder} if os.path.isdir(folder) else {}
        yield Found(name, {"addr": f"docker://{rest}", **tls})


def _files(folder: str, below: str = "") -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    paths = [os.path.join(folder, name, below) if below else os.path.join(folder, name) for name in names]
    return [path for path in paths if os.path.isfile(path)]


def _read(path: str) -> dict[str, Any]:
    """A file's JSON object. Raises `UsageError`."""
    try:
        fields = json.loads(read_found(path, limit=_LIMIT))
    except (OSError, ValueError, RecursionError) as error:
        reason = errno_text(error) if isinstance(error, OSError) else "not JSON"
        raise UsageError(f"{path}: {reason}") from None
    if not isinstance(fields, dict):
        raise UsageError(f"{path}: not an object")
    return fields
