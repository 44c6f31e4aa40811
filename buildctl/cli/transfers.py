"""What has to be said of a build's local directories at its end, as lines for standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
_ODD = "before 1677 or after 2262, which BuildKit cannot express and the build gets as another time"
_NOT_SENT = "and in what is sent of the folder no file is there: its rules have no effect"
_FATES = {"skip": "left out", "empty": "sent empty"}


def warnings(transfers: Iterable[Transfer], on_unreadable: OnUnreadable) -> list[str]:
    """Lines for each local directory: what could not be read, where changes may be missed, times that do not
    fit, rules that have no effect."""
    transfers = list(transfers)
    lines = []
    for name, unreadable in _by_name(transfers, lambda one: one.unreadable):
        was = "was" if len(unreadable) == 1 else "were"
        what = f"could not be read and {was} {_FATES[on_unreadable]}"
        lines.append(f"warning: {name}: {_count(unreadable)} {what}: {_some(unreadable)}\n")
    if uniform := list(dict.fromkeys(one.name for one in transfers if one.uniform_times)):
        lines.append(f"warning: {', '.join(uniform)}: {_UNIFORM}\n")
    for name, odd in _by_name(transfers, lambda one: one.odd_times):
        has = "has a time" if len(odd) == 1 else "have times"
        lines.append(f"warning: {name}: {_count(odd)} {has} {_ODD}: {_some(odd)}\n")
    for name, path, target in dict.fromkeys(
        (one.name, *link) for one in transfers for link in one.lost_ignore_files
    ):
        shown = path if path.isprintable() else quote(path)
        lines.append(f"warning: {name}: {shown} is a link to {quote(target)}, {_NOT_SENT}\n")
    return lines


def _by_name(
    transfers: Iterable[Transfer], paths_of: Callable[[Transfer], tuple[str, ...]]
) -> list[tuple[str, list[str]]]:
    """Local names with the paths that some transfer of theirs tells of, each once."""
    paths: dict[str, dict[str, None]] = {}
    for transfer in transfers:
        paths.setdefault(transfer.name, {}).update(dict.fromkeys(paths_of(transfer)))
    return [(name, list(found)) for name, found in paths.items() if found]


def _count(paths: list[str]) -> str:
    return "1 path" if len(paths) == 1 else f"{len(paths):,} paths"


def _some(paths: list[str]) -> str:
    return ", ".join(map(quote, paths[:_SHOWN])) + (", ..." if len(paths) > _SHOWN else "")
