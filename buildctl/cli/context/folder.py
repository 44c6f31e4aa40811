"""The folder that a command looks at, and the ignore file that decides of it."""

from __future__ import annotations

import os

from buildctl.cli.grammar import flag
from buildctl.errors import UsageError
from buildctl.fsutil import ignorefile
from buildctl.fsutil.ignorefile import IgnoreFile
from buildctl.model.quote import quote

file_flag = flag(
    "--file",
    "-f",
    "dockerfile",
    metavar="FILE",
    help="The Dockerfile, for the ignore file that belongs to it. Default: DIR/Dockerfile.",
)


def check_folder(path: str) -> str:
    """The folder, if it is one. Raises `UsageError`."""
    if not os.path.isdir(path):
        what = "no folder" if os.path.lexists(path) else "no such folder"
        raise UsageError(f"{printable(path)}: {what}", hint="name the folder that --local context=DIR has")
    return path


def find_ignore_file(folder: str, dockerfile: str) -> IgnoreFile:
    """The file whose rules count. Raises `UsageError`."""
    if dockerfile and not os.path.isfile(dockerfile):
        raise UsageError(
            f"{printable(dockerfile)}: no such Dockerfile", hint="--file is looked up from here, not in DIR"
        )
    beside = os.path.join(folder, "Dockerfile")
    return ignorefile.find(folder, dockerfile or (beside if _is_built(beside) else ""))


def _is_built(dockerfile: str) -> bool:
    """Whether a build without the name of a Dockerfile would find this one, which may also be `dockerfile`.

    Where there is none, the folder is another context of a build, and what is beside its own does not count.
    """
    folder, name = os.path.split(dockerfile)
    return any(os.path.lexists(os.path.join(folder, one)) for one in (name, name.lower()))


def lost_rules(found: IgnoreFile) -> str:
    """What is to be said of an ignore file that would count and that a daemon does not find; mostly empty."""
    return "; ".join(
        f"{printable(path)} has no effect, for it is a link to {printable(target)}, "
        "and in what is sent of the folder no file is there"
        for path, target in found.lost
    )


def printable(path: str) -> str:
    """A path as it can be shown on a line: quoted where it has to be."""
    return path if path and path.isprintable() else quote(path)
