"""What has to be said of a build's local directories at its end, as lines for standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from buildctl.model.quote import quote

if TYPE_CHECKING:
    from buildctl.model.solve import OnUnreadable
    from buildctl.model.transfer import Transfer

_SHOWN = 5
_FATES = {"skip": "left out", "empty": "sent empty"}


def warnings(transfers: Iterable[Transfer], on_unreadable: OnUnreadable) -> list[str]:
    """A line for each local directory of which something could not be read."""
    paths: dict[str, dict[str, None]] = {}
    for transfer in transfers:
        paths.setdefault(transfer.name, {}).update(dict.fromkeys(transfer.unreadable))
    return [_unreadable(name, list(found), on_unreadable) for name, found in paths.items() if found]


def _unreadable(name: str, paths: list[str], on_unreadable: OnUnreadable) -> str:
    what = "1 path" if len(paths) == 1 else f"{len(paths):,} paths"
    was = "was" if len(paths) == 1 else "were"
    shown = ", ".join(map(quote, paths[:_SHOWN])) + (", ..." if len(paths) > _SHOWN else "")
    return f"warning: {name}: {what} could not be read and {was} {_FATES[on_unreadable]}: {shown}\n"
