"""What a project's settings may say unasked, and the rest, which the user allows once for each content.

A project file is part of what was cloned. By itself it may choose how a build looks and what is built out of
its own folder; it cannot name daemons, credentials, secrets, programs, or paths elsewhere.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from buildctl.cli.settings.load import Settings, Source
from buildctl.errors import BuildctlError, UsageError
from buildctl.system.failure import errno_text
from buildctl.system.folders import make_private
from buildctl.system.outfile import write_whole
from buildctl.system.smallfile import read_found

if TYPE_CHECKING:
    from buildctl.cli.environment import Environment

_FREE = frozenset(
    {
        "annotation",
        "build-arg",
        "context-check",
        "frontend",
        "label",
        "no-cache",
        "no-cache-filter",
        "on-unreadable",
        "platform",
        "progress",
        "pull",
        "retries",
        "summary",
        "tag",
        "target",
    }
)
"""Flags of build that reach nothing but the build itself."""
_PATHS = frozenset({"file"})
_MARK_BYTES = 64
_NAMED_PATHS = frozenset({"local", "build-context", "oci-layout"})
_FREE_OPTIONS = ("target", "build-arg:", "label:", "platform", "filename", "no-cache", "hostname")
_FREE_COMMANDS = {
    "du": frozenset({"sort", "top", "tree", "group-by", "verbose"}),
    "debug": frozenset[str](),
}


def check_trust(settings: Settings, environment: Environment) -> None:
    """Raises `UsageError` where a project's file says what it may not, and was not allowed to."""
    for source in settings.sources:
        if not source.is_project:
            continue
        asked = list(needs_allowance(source))
        if asked and not is_allowed(source, environment):
            raise UsageError(
                f"{source.path} sets {', '.join(asked)}, which a project may only with your word",
                hint="read it, then: buildctl config allow (BUILDCTL_CONFIG=off leaves it aside)",
            )


def needs_allowance(source: Source) -> Iterator[str]:
    """The settings of a project's file that do not hold by themselves."""
    fields = source.fields
    if "daemons" in fields:
        yield "daemons"
    yield from (f"global.{name}" for name in fields.get("global", {}))
    for command, table in fields.get("flags", {}).items():
        if command == "build" and isinstance(table, Mapping):
            for name, value in table.items():
                if not _is_free(name, value):
                    yield f"flags.build.{name}"
        elif isinstance(table, Mapping) and set(table) <= _FREE_COMMANDS.get(command, frozenset()):
            continue
        else:
            yield f"flags.{command}"


def _is_free(name: str, value: Any) -> bool:
    values = [str(one) for one in (value if isinstance(value, list) else [value])]
    if name in _FREE:
        # A build argument without a value takes that of a variable of the user's.
        return name != "build-arg" or all("=" in one for one in values)
    if name in _PATHS:
        return all(map(_is_inside, values))
    if name in _NAMED_PATHS:
        return all(_is_inside(one.partition("=")[2]) for one in values)
    if name == "opt":
        return all(
            one.startswith(_FREE_OPTIONS) and (not one.startswith("build-arg:") or "=" in one)
            for one in values
        )
    return name == "output" and all(map(_is_inner_output, values))


def _is_inside(path: str) -> bool:
    """Whether a path is below the current folder, with all its links followed."""
    if not path or os.path.isabs(path) or "://" in path or path == "-":
        return False
    here = os.path.realpath(".")
    return os.path.commonpath([here, os.path.realpath(path)]) == here


def _is_inner_output(text: str) -> bool:
    from buildctl.cli.flags.output import parse_output
    from buildctl.model.solve import DirectoryDestination, FileDestination, LayoutDestination

    try:
        export = parse_output(text)
    except UsageError:
        return True  # is said when the flag is read
    match export.destination:
        case DirectoryDestination(path, keep_privileged):
            # A mode that deletes takes what lies in the folder, and set-id programs are for whoever asks.
            return _is_inside(path) and not keep_privileged and "mode" not in export.attrs
        case FileDestination(path) | LayoutDestination(path):
            return _is_inside(path)
    return False  # standard output, or what the daemon keeps and pushes


def is_allowed(source: Source, environment: Environment) -> bool:
    """Whether this very content was allowed at this place."""
    try:
        return (
            read_found(_mark(source, environment), limit=_MARK_BYTES, links=False) == _digest(source).encode()
        )
    except (OSError, UsageError):
        return False


def allow(source: Source, environment: Environment) -> None:
    """Remember that the content was allowed. Raises `BuildctlError`."""
    path = _mark(source, environment)
    try:
        make_private(os.path.dirname(path))
    except OSError as error:
        raise BuildctlError(f"mkdir {path}: {errno_text(error)}") from None
    write_whole(path, _digest(source).encode(), mode=0o600)


def _digest(source: Source) -> str:
    return hashlib.sha256(source.data).hexdigest()


def _mark(source: Source, environment: Environment) -> str:
    from buildctl.session.statefolder import state_folder

    folder = state_folder(environment.variables)
    if not folder:
        raise UsageError(
            "there is no place to keep what is allowed",
            hint="set HOME, or XDG_STATE_HOME to an absolute path",
        )
    name = hashlib.sha256(os.path.realpath(source.path).encode("utf-8", "surrogateescape")).hexdigest()
    return os.path.join(folder, "allowed", name)
