"""What a build's flags point at on this machine: looked at, or read, and never changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from buildctl.cli.app import App
from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.model.solve import Export, FileDestination, StdoutDestination


def check_destination(app: App, export: Export) -> Export:
    """The export, if its destination can be written at all. Raises `UsageError`; creates nothing."""
    match export.destination:
        case FileDestination(path) if os.path.isdir(path):
            raise UsageError("invalid output option: output: destination file is a directory")
        case StdoutDestination() if app.environment.is_terminal(app.environment.stdout):
            raise UsageError(
                "invalid output option: output: output file is required for "
                f"{export.type} exporter. refusing to write to console",
                hint=f"add ,dest=FILE to --output type={export.type}, or redirect standard output",
            )
    return export


def check_local(path: str) -> str:
    """The folder, if it is one. Raises `UsageError` in the reference's words."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"invalid local: resolve : lstat {path}: {reason}",
            hint="--local NAME=DIR needs an existing folder; a relative one is looked up from here",
        ) from None
    if not stat.S_ISDIR(mode):
        raise UsageError(f"invalid local: stat {path}: not a directory")
    return path


def content_records(variables: Mapping[str, str]) -> str:
    """Where digests of what was sent are kept. Raises `UsageError` where no place is known for them."""
    folder = variables.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(folder):  # others are to be ignored (XDG Base Directory Specification)
        folder = os.path.join(variables.get("HOME", ""), ".cache")
    if not os.path.isabs(folder):
        raise UsageError(
            "--context-check=content has no place for digests",
            hint="set HOME, or XDG_CACHE_HOME to an absolute path",
        )
    return os.path.join(folder, "buildctl", "contexts")


def read_source_policy(path: str) -> bytes:
    """The policy of a file. Raises `UsageError` where it cannot be read or is none."""
    from buildctl.cli.flags.source_policy import parse_source_policy

    try:
        with open(path, "rb") as file:
            return parse_source_policy(file.read())
    except OSError as error:
        raise UsageError(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    except UsageError as error:
        message = f"failed to unmarshal source-policy-file {quote(path)}: {error}"
        raise UsageError(message, hint=error.hint) from None


def read_definition(app: App, *, no_cache: bool) -> bytes:
    """LLB from standard input. Raises `UsageError` where nothing is piped into it, or no definition is."""
    from buildctl.llb.read import parse_definition

    if app.environment.is_character_device(app.environment.stdin):
        raise UsageError(
            "please specify --frontend or pipe LLB definition to stdin",
            hint="for a Dockerfile: --frontend dockerfile.v0 --local context=. --local dockerfile=.",
        )
    with os.fdopen(os.dup(app.environment.stdin), "rb") as stdin:
        return parse_definition(stdin.read(), ignore_cache=no_cache)
