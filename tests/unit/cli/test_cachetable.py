"""The build cache as tables: sorted, cut, in trees and groups."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import pytest

from buildctl.cli.cachetable import Selection, read_selection, show_cache, show_totals
from buildctl.cli.environment import Environment
from buildctl.cli.output import Output
from buildctl.errors import UsageError
from buildctl.model.cache import UsageRecord

DAY_NS = 86_400_000_000_000
NOW_NS = 1_796_095_232_000_000_000
RECORDS = [
    UsageRecord("a", size_bytes=1, last_used_at_ns=NOW_NS, usage_count=3, description="[1/2] COPY \x1b[31mx"),
    UsageRecord(
        "b", size_bytes=3, last_used_at_ns=NOW_NS - 9 * DAY_NS, parents=("a",), record_type="source.local"
    ),
    UsageRecord("c", size_bytes=2, created_at_ns=NOW_NS - DAY_NS, parents=("zz", "b"), in_use=True),
    UsageRecord("d", size_bytes=4, usage_count=1, shared=True, parents=("d", "e")),
    UsageRecord("e", size_bytes=5, parents=("d",)),
]


def written(show: Callable[[Output], None]) -> str:
    with tempfile.TemporaryFile() as file:
        show(Output(Environment(stdout=file.fileno())))
        file.seek(0)
        return file.read().decode()


def table(selection: Selection, records: list[UsageRecord] = RECORDS) -> str:
    return written(lambda output: show_cache(output, records, selection))


def ids(selection: Selection) -> list[str]:
    return [line.split()[-1] for line in table(selection).splitlines()[1:]]


def test_in_order() -> None:
    assert ids(Selection()) == ["a", "b", "c", "d", "e"]
    assert ids(Selection(sort="size")) == ["e", "d", "b", "c", "a"]
    assert ids(Selection(sort="last-used", top=3)) == ["a", "c", "b"]
    assert ids(Selection(sort="count", top=2)) == ["a", "d"]


def test_in_time() -> None:
    assert ids(read_selection("", 0, False, "", "2d", "", NOW_NS)) == ["a", "c"]
    assert ids(read_selection("", 0, False, "", "", "1h", NOW_NS)) == ["b", "c", "d", "e"]
    assert ids(read_selection("", 0, False, "", "2026-12-01", "", NOW_NS)) == ["a"]


def test_a_tree_stands_below_its_parents_and_has_an_end() -> None:
    lines = table(Selection(tree=True)).splitlines()[1:]
    assert [line.split()[-1] for line in lines] == ["a", "b", "c", "d", "e"]
    assert "    -" in lines[2]


def test_a_deep_tree_is_no_recursion() -> None:
    chain = [UsageRecord(str(n), parents=(str(n - 1),)) for n in range(5000)]
    assert len(table(Selection(tree=True), chain).splitlines()) == 5001


def test_groups() -> None:
    lines = table(Selection(group_by="type")).splitlines()
    assert [line.split() for line in lines] == [
        ["SIZE", "RECLAIMABLE", "RECORDS", "TYPE"],
        ["12B", "10B", "4", "regular"],
        ["3B", "3B", "1", "source.local"],
    ]


def test_names_are_harmless() -> None:
    assert "\x1b" not in table(Selection())


def test_totals() -> None:
    assert (
        written(lambda output: show_totals(output, RECORDS))
        == "15B in 5 records: 2B in use, 4B shared, 9B reclaimable\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sizes", 0, False, "", "", ""), 'invalid --sort "sizes"'),
        (("", -1, False, "", "", ""), "invalid --top -1"),
        (("", 0, True, "type", "", ""), "choose one"),
        (("", 0, False, "kind", "", ""), 'invalid --group-by "kind"'),
        (("", 0, False, "", "yesterday", ""), 'invalid time "yesterday"'),
        (("", 0, False, "", "", "2026-13-01"), 'invalid time "2026-13-01"'),
        (("", 0, False, "", "", "9999999999d"), 'invalid time "9999999999d"'),
    ],
)
def test_typed_wrong(arguments: tuple[str, int, bool, str, str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_selection(*arguments, NOW_NS)
