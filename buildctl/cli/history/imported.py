"""Builds kept from `.dockerbuild` files: one file a build, by its ref, where this client keeps its state."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING

from buildctl.cli.environment import Environment
from buildctl.errors import BuildctlError, UsageError
from buildctl.session.statefolder import state_folder
from buildctl.system.failure import errno_text
from buildctl.system.folders import make_private
from buildctl.system.outfile import write_whole
from buildctl.system.smallfile import read_named

if TYPE_CHECKING:
    from buildctl.client.recordfile import SavedBuild

_REF = re.compile(r"[A-Za-z0-9]{1,64}")
"""What may name a file; refs are 25 letters and digits."""
_SUFFIX = ".dockerbuild"
_MOST_BYTES = 256 << 20
"""Of a file, which is packed."""
_MODE = 0o600
"""Logs and build arguments are for nobody else, as in `--trace`."""


def read_builds(path: str) -> list[SavedBuild]:
    """The builds of a file. Raises `BuildctlError`."""
    from buildctl.client.recordfile import read_record_file

    try:
        return read_record_file(io.BytesIO(read_named(path, limit=_MOST_BYTES)), path)
    except OSError as error:
        raise BuildctlError(f"open {path}: {errno_text(error)}") from None


def imported_file(environment: Environment, ref: str) -> str:
    """Where the imported build of exactly that ref is; empty where there is none."""
    folder = _folder(environment)
    path = os.path.join(folder, ref + _SUFFIX) if folder and _REF.fullmatch(ref) else ""
    return path if path and os.path.isfile(path) else ""


def imported_refs(environment: Environment) -> list[str]:
    """The refs of imported builds."""
    folder = _folder(environment)
    try:
        names = os.listdir(folder) if folder else []
    except OSError:
        names = []
    return sorted(
        name.removesuffix(_SUFFIX)
        for name in names
        if name.endswith(_SUFFIX) and _REF.fullmatch(name.removesuffix(_SUFFIX))
    )


def import_build(environment: Environment, build: SavedBuild) -> None:
    """Keep a build. Raises `BuildctlError` where no place is known or it cannot be written."""
    from buildctl.client.recordfile import write_record_file

    folder = _folder(environment)
    ref = build.record.ref
    if not folder:
        raise UsageError(
            "there is no place to keep builds", hint="set HOME, or XDG_STATE_HOME to an absolute path"
        )
    if not _REF.fullmatch(ref):
        raise BuildctlError("the build's ref is not of letters and digits")
    data = io.BytesIO()
    write_record_file([build], data)
    try:
        make_private(folder)
    except OSError as error:
        raise BuildctlError(f"mkdir {folder}: {errno_text(error)}") from None
    write_whole(os.path.join(folder, ref + _SUFFIX), data.getvalue(), mode=_MODE)


def remove_imported(environment: Environment, ref: str) -> None:
    """Forget an imported build. Raises `BuildctlError`."""
    path = imported_file(environment, ref)
    try:
        os.unlink(path)
    except OSError as error:
        raise BuildctlError(f"unlink {path}: {errno_text(error)}") from None


def _folder(environment: Environment) -> str:
    folder = state_folder(environment.variables)
    return os.path.join(folder, "history") if folder else ""
