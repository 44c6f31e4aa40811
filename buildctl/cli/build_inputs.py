"""What a build's flags point at on this machine: looked at, or read, and never changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping

from buildctl.cli.app import App
from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.session.statefolder import home_folder
from buildctl.system.failure import errno_text
from buildctl.system.place import missing_part, require_working_folder
from buildctl.system.smallfile import read_descriptor, read_named

_MOST_POLICY_BYTES = 16 << 20


def check_local(path: str) -> str:
    """The folder, if it is one; an empty path is the working folder. Raises `UsageError`."""
    path = path or "."
    hint = "--local NAME=DIR needs an existing folder; a relative one is looked up from here"
    try:
        require_working_folder(path)
        mode = os.stat(path).st_mode
    except NotADirectoryError as error:
        raise UsageError(f"invalid local: resolve : {errno_text(error)}", hint=hint) from None
    except OSError as error:
        wrong = missing_part(path) if error.errno == errno.ENOENT else path
        raise UsageError(f"invalid local: resolve : lstat {wrong}: {errno_text(error)}", hint=hint) from None
    if not stat.S_ISDIR(mode):
        raise UsageError(f"invalid local: stat {path}: not a directory", hint=hint)
    return path


def check_layouts(layouts: Mapping[str, str]) -> Mapping[str, str]:
    """The layouts, if none is a file. Raises `UsageError`; one that is missing may never be asked for."""
    for path in layouts.values():
        if os.path.exists(path) and not os.path.isdir(path):
            message = f"oci-layout context at {path} failed to initialize: mkdir {path}: not a directory"
            raise UsageError(f"invalid oci-layout: {message}", hint="name the folder that index.json is in")
    return layouts


def content_records(variables: Mapping[str, str]) -> str:
    """Where digests of what was sent are kept. Raises `UsageError` where no place is known for them."""
    folder = variables.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(folder):  # others are to be ignored (XDG Base Directory Specification)
        folder = os.path.join(home_folder(variables), ".cache")
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
        return parse_source_policy(read_named(path, limit=_MOST_POLICY_BYTES))
    except OSError as error:
        raise UsageError(f"open {path}: {errno_text(error)}") from None
    except UsageError as error:
        message = f"failed to unmarshal source-policy-file {quote(path)}: {error}"
        raise UsageError(message, hint=error.hint) from None


def read_definition(app: App, *, no_cache: bool) -> bytes:
    """LLB from standard input. Raises `UsageError` where nothing is piped into it, or no definition is."""
    from buildctl.llb.read import MOST_BYTES, parse_definition

    if app.environment.is_character_device(app.environment.stdin):
        raise UsageError(
            "please specify --frontend or pipe LLB definition to stdin",
            hint="for a Dockerfile: --frontend dockerfile.v0 --local context=. --local dockerfile=.",
        )
    try:
        data = read_descriptor(app.environment.stdin, "standard input", limit=MOST_BYTES)
    except OSError as error:
        raise UsageError(f"read standard input: {errno_text(error)}") from None
    return parse_definition(data, ignore_cache=no_cache)
