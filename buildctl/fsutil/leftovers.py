"""Finds what a directory holds that a transfer does not: the files that `mode=delete` removes."""

from __future__ import annotations

from collections.abc import Iterable


class Leftovers:
    """Follows the entries of a transfer, in their order, and compares them with what is there.

    A directory's names are those it held before anything was written into it.
    """

    def __init__(self, names: Iterable[bytes]) -> None:
        """Start at the root, which holds `names`."""
        self._walk: list[tuple[bytes, set[bytes]]] = [(b"", set(names))]
        self._found: list[bytes] = []

    def keep(self, path: bytes) -> None:
        """An entry of the transfer."""
        parent, _, name = path.rpartition(b"/")
        while self._walk[-1][0] != parent:
            self._leave()
        self._walk[-1][1].discard(name)

    def enter(self, path: bytes, names: Iterable[bytes]) -> None:
        """The entry last kept is a directory that held `names`, none if it is new."""
        self._walk.append((path, set(names)))

    def finish(self) -> list[bytes]:
        """The paths that were not kept, without those below them."""
        while self._walk:
            self._leave()
        return self._found

    def _leave(self) -> None:
        directory, names = self._walk.pop()
        self._found += (directory + b"/" + name if directory else name for name in sorted(names))
