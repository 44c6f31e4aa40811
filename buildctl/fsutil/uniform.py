"""Notices trees whose files all have one time, where a daemon cannot see that a file has changed.

Archives of a commit and reproducible packages are such: their times are whole seconds, and all the same.
Times that files get when they are written are not, so that this ends at the first file mostly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from buildctl.fsutil import filemode

if TYPE_CHECKING:
    from buildctl.fsutil.walk import Entry

_LEAST = 10
"""Files; that a few have the same time is nothing unusual."""
_SECOND_NS = 1_000_000_000


class UniformTimes:
    """Looks at the entries of one walk."""

    def __init__(self) -> None:
        self.found = False
        """Whether all files of the tree have one time; known at the end of the walk."""

    def watch(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries as they are."""
        remaining = iter(entries)
        common = None
        count = 0
        for entry in remaining:
            yield entry
            if not (entry.size and filemode.is_regular(entry.mode)):
                continue
            if common is None:
                common = entry.mtime_ns
            if entry.mtime_ns != common or common % _SECOND_NS:
                break
            count += 1
        else:
            self.found = count >= _LEAST
        yield from remaining
