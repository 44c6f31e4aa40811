"""Who this client is to a daemon, from one build to the next: an id of the user on this machine.

It is random and kept below XDG_STATE_HOME, so that it says nothing of either.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Mapping

from buildctl.model.identity import new_id
from buildctl.session.statefolder import state_folder
from buildctl.system.beside import create_beside
from buildctl.system.folders import make_private
from buildctl.system.smallfile import read_found

logger = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-z]{25}")
_MOST_BYTES = 4096
_MACHINE = "/etc/machine-id"  # homes may be shared by machines, where one path is several folders


def client_id(variables: Mapping[str, str]) -> str:
    """The id, made at first use; one of the host's name and the user's number where it cannot be kept."""
    machine = _machine()
    path = _path(variables)
    try:
        if not path:
            raise FileNotFoundError("neither XDG_STATE_HOME nor HOME is set")
        kept = _read(path) or _create(path)
    except OSError as error:
        kept = f"{os.uname().nodename} {os.getuid()}"
        logger.debug("cannot keep a client id: %s; using the host's name and the user's number", error)
    return f"{kept} {machine}"


def _path(variables: Mapping[str, str]) -> str:
    folder = state_folder(variables)
    return os.path.join(folder, "client-id") if folder else ""


def _read(path: str) -> str:
    """The id in the file, empty where there is none."""
    try:
        text = read_found(path, limit=_MOST_BYTES).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
    return text if _ID.fullmatch(text) else ""


def _create(path: str) -> str:
    """Put a new id there, whole at once, unless another process has been faster; then its id."""
    folder = os.path.dirname(path)
    make_private(folder)
    descriptor, temporary = create_beside(path, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(new_id() + "\n")
        try:
            os.link(temporary, path)
        except OSError:
            if not _read(path):  # what is there is damaged, or the file system knows no links
                os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return _read(path)


def _machine() -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return read_found(_MACHINE, limit=_MOST_BYTES).decode("ascii").strip()
    return ""
