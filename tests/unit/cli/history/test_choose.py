"""Which build a ref, a prefix or `^N` means."""

from __future__ import annotations

import pytest

from buildctl.cli.history.choose import choose_record
from buildctl.errors import UsageError
from buildctl.model.history import BuildRecord

RECORDS = [BuildRecord(ref) for ref in ("abc1", "abd2", "ab", "zz")]


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("", "abc1"),
        ("^", "abc1"),
        ("^0", "abc1"),
        ("^1", "abd2"),
        ("^3", "zz"),
        ("abc", "abc1"),
        ("ab", "ab"),
        ("z", "zz"),
    ],
)
def test_found(ref: str, found: str) -> None:
    assert choose_record(RECORDS, ref).ref == found


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("a", '"a" begins the refs of 3 builds: abc1, abd2, ab'),
        ("x", 'no build "x" in the history'),
        ("^4", "no build ^4: the history has 4 builds"),
        ("^" + "9" * 5000, "no build"),
        ("^-1", "no build"),
        ("^\u0661", "no build"),
    ],
)
def test_not_found(ref: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("^", r"\^")):
        choose_record(RECORDS, ref)


def test_an_empty_history() -> None:
    with pytest.raises(UsageError, match=r"no build \^0: the history is empty"):
        choose_record([], "")
