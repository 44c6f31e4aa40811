"""Trees whose files all have one time."""

from __future__ import annotations

import pytest

from buildctl.fsutil import filemode
from buildctl.fsutil.uniform import UniformTimes
from buildctl.fsutil.walk import Entry

SECOND = 1_000_000_000


def files(*times: int) -> list[Entry]:
    return [Entry(b"%d" % number, 0o644, 1, time) for number, time in enumerate(times)]


OTHERS = [
    Entry(b"d", filemode.DIR | 0o755, 0, 7),
    Entry(b"empty", 0o644, 0, 8),
    Entry(b"l", filemode.SYMLINK, 1, 9),
]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], False),
        (files(*[SECOND] * 9), False),
        (files(*[SECOND] * 10), True),
        (files(*[0] * 30), True),
        ([*OTHERS, *files(*[SECOND] * 10), *OTHERS], True),
        (files(*[SECOND + 5] * 10), False),
        (files(*[SECOND] * 20, 2 * SECOND), False),
        (files(2 * SECOND, *[SECOND] * 20), False),
    ],
    ids=["none", "few", "ten", "epoch", "among others", "written", "the last differs", "the first differs"],
)
def test_they_are_found(entries: list[Entry], found: bool) -> None:
    uniform = UniformTimes()
    assert list(uniform.watch(entries)) == entries
    assert uniform.found is found
