"""Looks over what would be sent of a folder: entries, what its folders hold, what each pattern decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from buildctl.fsutil import filemode
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.filter import Decision, Filter, Scope
from buildctl.fsutil.patterns import Inherited, Matcher
from buildctl.fsutil.walk import Entry, Walked, walk
from buildctl.system.failure import read_failure


class Held(NamedTuple):
    """What a folder holds, in all folders below it, too."""

    files: int = 0
    """What is no folder."""
    size: int = 0
    """Bytes of content."""


class Use(NamedTuple):
    """What became of one pattern."""

    decided: int
    """Of how many paths that were looked at it is the pattern that decides."""
    took_ns: int
    """How long it takes to try it alone on all of these paths."""


class Counting(Filter):
    """A filter of exclude patterns that counts which of them decide; slower than one that does not."""

    def __init__(self, excludes: Sequence[str]) -> None:
        super().__init__((), excludes)
        self._patterns = Matcher(excludes).patterns
        self._decided = [0] * len(self._patterns)
        self._paths: list[str] = []

    def folder(self, path: str, scope: Scope) -> Decision:
        decision = super().folder(path, scope)
        self._note(path, decision.scope.excludes)
        return decision

    def drops(self, scope: Scope) -> Callable[[str], bool]:
        def dropped(path: str) -> bool:
            verdict, held = self.excludes(path, scope)
            self._note(path, held)
            return verdict

        return dropped

    def uses(self, clock_ns: Callable[[], int]) -> Iterator[Use]:
        """The use of each pattern for what was walked; tries them again to see how long that takes."""
        for pattern, decided in zip(self._patterns, self._decided, strict=True):
            began = clock_ns()
            for path in self._paths:
                pattern.may_match(path)
            yield Use(decided, clock_ns() - began)

    def _note(self, path: str, held: Inherited) -> None:
        self._paths.append(path)
        if held:
            self._decided[held[-1]] += 1


@contextmanager
def opened(folder: str) -> Iterator[Directories]:
    """The folder for a walk. Raises `TransferError`."""
    path = os.fsencode(folder)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise read_failure("open", path, error, hint="name a folder that exists and can be read") from error
    with closing(Directories(descriptor)) as root:
        yield root


def entries(folder: str, choose: Filter, walked: Walked | None = None) -> list[Entry]:
    """Everything that would be sent, in the order of a transfer. Raises `TransferError`."""
    with opened(folder) as root:
        return list(walk(root, os.fsencode(folder), choose, walked))


def is_sent(folder: str, choose: Filter, path: bytes) -> bool:
    """Whether a path is sent, by itself or for what is in it. Raises `TransferError`."""
    with opened(folder) as root:
        return any(entry.path == path for entry in walk(root, os.fsencode(folder), choose))


def has_content(entry: Entry) -> bool:
    """Whether a daemon asks for the entry's content, which may be empty."""
    return filemode.is_regular(entry.mode) and not entry.linkname


def content_size(entry: Entry) -> int:
    """The bytes that are sent for an entry that a daemon has not yet; none for one more name of a file."""
    return entry.size if has_content(entry) else 0


def held_by_folder(found: Iterable[Entry]) -> dict[bytes, Held]:
    """What each folder holds; the root's path is empty."""
    own: dict[bytes, Held] = {b"": Held()}
    for entry in found:
        if entry.mode & filemode.DIR:
            own.setdefault(entry.path, Held())
        else:
            parent = entry.path.rpartition(b"/")[0]
            held = own.get(parent, Held())
            own[parent] = Held(held.files + 1, held.size + content_size(entry))
    for path in sorted(own, reverse=True):  # what is below comes before what it is in
        if path:
            parent, held = path.rpartition(b"/")[0], own[path]
            above = own.get(parent, Held())
            own[parent] = Held(above.files + held.files, above.size + held.size)
    return own


def largest(held: dict[bytes, Held], most: int) -> list[tuple[bytes, Held]]:
    """The folders below the root with the most bytes, the largest first."""
    below = [(path, one) for path, one in held.items() if path]
    return sorted(below, key=lambda item: (-item[1].size, item[0]))[:most]
