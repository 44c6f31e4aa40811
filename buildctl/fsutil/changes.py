"""What is different between two walks of one directory, as the receiver of a transfer compares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from buildctl.fsutil import filemode
from buildctl.fsutil.walk import Entry


class Change(NamedTuple):
    """One path that is not as it was; it was not there before, or is not there after, where that is None."""

    path: bytes
    before: Entry | None
    after: Entry | None
    what: tuple[str, ...] = ()
    """What changed: `type`, `mode`, `size`, `time`, `link`, `device`, `attributes`."""


def changes(before: Mapping[bytes, Entry], after: Mapping[bytes, Entry]) -> list[Change]:
    """All changes, by path. The time of a folder does not count, as for the daemon."""
    found = [Change(path, entry, None) for path, entry in before.items() if path not in after]
    for path, entry in after.items():
        old = before.get(path)
        if old is None:
            found.append(Change(path, None, entry))
        elif what := _what(old, entry):
            found.append(Change(path, old, entry, what))
    return sorted(found, key=lambda change: change.path.split(b"/"))


def _what(old: Entry, new: Entry) -> tuple[str, ...]:
    if old == new:
        return ()
    if (old.mode ^ new.mode) & filemode.TYPE_MASK:
        return ("type",)
    differing = {
        "mode": old.mode != new.mode,
        "size": old.size != new.size,
        "time": old.mtime_ns != new.mtime_ns and not new.mode & filemode.DIR,
        "link": old.linkname != new.linkname,
        "device": old.device != new.device,
        "attributes": old.xattrs != new.xattrs,
    }
    return tuple(name for name, differs in differing.items() if differs)
