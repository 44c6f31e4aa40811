"""What has to be said of a build's local directories at its end, as lines for standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from buildctl.model.quote import quote

if TYPE_CHECKING:
    from buildctl.model.solve import OnUnreadable
    from buildctl.model.transfer import Transfer

_SHOWN = 5
_UNIFORM = (
    "all files have one and the same time, so a file that changes but keeps its size may be missed; "
    "--context-check=content compares the bytes"
)
_NOT_SENT = "and in what is sent of the folder no file is there: its rules have no effect"
_FATES = {"skip": "left out", "empty": "sent empty"}


def warnings(transfers: Iterable[Transfer], on_unreadable: OnUnreadable) -> list[str]:
    """A line for each local directory with what could not be read, and one where changes may be missed."""
    transfers = list(transfers)
    paths: dict[str, dict[str, None]] = {}
    for transfer in transfers:
        paths.setdefault(transfer.name, {}).update(dict.fromkeys(transfer.unreadable))
    lines = [_unreadable(name, list(found), on_unreadable) for name, found in paths.items() if found]
    if uniform := list(dict.fromkeys(one.name for one in transfers if one.uniform_times)):
        lines.append(f"warning: {', '.join(uniform)}: {_UNIFORM}\n")
    lost = dict.fromkeys((one.name, *link) for one in transfers for link in one.lost_ignore_files)
    lines += [f"warning: {name}: {_lost(path)} {quote(target)}, {_NOT_SENT}\n" for name, path, target in lost]
    return lines


def _lost(path: str) -> str:
    return f"{path if path.isprintable() else quote(path)} is a link to"


def _unreadable(name: str, paths: list[str], on_unreadable: OnUnreadable) -> str:
    what = "1 path" if len(paths) == 1 else f"{len(paths):,} paths"
    was = "was" if len(paths) == 1 else "were"
    shown = ", ".join(map(quote, paths[:_SHOWN])) + (", ..." if len(paths) > _SHOWN else "")
    return f"warning: {name}: {what} could not be read and {was} {_FATES[on_unreadable]}: {shown}\n"
