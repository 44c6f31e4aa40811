"""The build cache as tables for people: which records, in what order, as a list, a tree or groups.

`du` and `prune` show it on terminals, and wherever a flag asks for what the reference's table has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from buildctl.cli.flags.moment import parse_moment
from buildctl.cli.listing import Cell, Column, Row, show_listing, show_styled
from buildctl.errors import UsageError
from buildctl.model.bytesize import format_bytes
from buildctl.model.cache import UsageRecord
from buildctl.model.quote import quote

if TYPE_CHECKING:
    from rich.text import Text

    from buildctl.cli.environment import Environment
    from buildctl.cli.output import Output

_ID_ON_TERMINAL = 12
_BAR_MAXIMUM = 60
_TREE_DEPTH = 12
"""Levels of a tree that are indented; what is deeper stands below one another."""

SORTS: dict[str, Callable[[UsageRecord], int]] = {
    "size": lambda record: -record.size_bytes,
    "last-used": lambda record: -(record.last_used_at_ns or record.created_at_ns or 0),
    "count": lambda record: -record.usage_count,
    "created": lambda record: -(record.created_at_ns or 0),
}
GROUPS: dict[str, Callable[[UsageRecord], str]] = {
    "type": lambda record: record.record_type or "regular",
    "description": lambda record: record.description or "(no description)",
}


class Selection(NamedTuple):
    """Which records are shown, and how."""

    sort: str = ""
    """A key of `SORTS`; empty is the daemon's order, smallest first."""
    top: int = 0
    """So many of them; 0 is all."""
    tree: bool = False
    group_by: str = ""
    """A key of `GROUPS`, or empty."""
    since_ns: int | None = None
    """Last used then or later, in nanoseconds since the Unix epoch."""
    until_ns: int | None = None

    def select(self, records: Iterable[UsageRecord]) -> list[UsageRecord]:
        """The records that are shown, in their order."""
        chosen = [record for record in records if self._in_time(record)]
        if self.sort:
            chosen.sort(key=SORTS[self.sort])
        return chosen[: self.top or None]

    def _in_time(self, record: UsageRecord) -> bool:
        used_ns = record.last_used_at_ns or record.created_at_ns or 0
        return (self.since_ns is None or used_ns >= self.since_ns) and (
            self.until_ns is None or used_ns <= self.until_ns
        )


def read_selection(
    sort: str, top: int, tree: bool, group_by: str, since: str, until: str, now_ns: int
) -> Selection:
    """What the flags of those names say. Raises `UsageError` for what does not exist or go together."""
    for flag, value, known in (("--sort", sort, SORTS), ("--group-by", group_by, GROUPS)):
        if value and value not in known:
            raise UsageError(f"invalid {flag} {quote(value)}", hint=f"use {', '.join(known)}")
    if tree and group_by:
        raise UsageError("--tree and --group-by are two ways to show the same: choose one")
    if top < 0:
        raise UsageError(f"invalid --top {top}", hint="it is how many records are shown")
    return Selection(
        sort=sort,
        top=top,
        tree=tree,
        group_by=group_by,
        since_ns=parse_moment(since, now_ns) if since else None,
        until_ns=parse_moment(until, now_ns) if until else None,
    )


def show_cache(
    output: Output,
    records: Sequence[UsageRecord],
    selection: Selection,
    *,
    rules: Mapping[str, str] | None = None,
) -> None:
    """Write the table. With `rules`, what would remove each record by its id is a column of its own."""
    shown = selection.select(records)
    if selection.group_by:
        _show_groups(output, shown, GROUPS[selection.group_by], selection)
        return
    columns = [
        Column("SIZE", numeric=True),
        Column("WHAT", flexible=True),
        Column("TYPE"),
        Column("LAST USED"),
        Column("USED", numeric=True),
        Column("STATE"),
        Column("ID"),
        *([Column("RULE")] if rules is not None else []),
    ]
    depths = _depths(shown) if selection.tree else dict.fromkeys((record.id for record in shown), 0)
    if selection.tree:
        by_id = {record.id: record for record in shown}
        shown = [by_id[name] for name in depths]
    rows = [_row(record, depths[record.id], output.environment, rules) for record in shown]
    show_listing(output, columns, rows)


def show_totals(output: Output, records: Sequence[UsageRecord]) -> None:
    """Write what is in use, shared and reclaimable, on a terminal below a bar of the three."""
    in_use = sum(record.size_bytes for record in records if record.in_use)
    shared = sum(record.size_bytes for record in records if record.shared and not record.in_use)
    total = sum(record.size_bytes for record in records)
    parts = [
        ("in use", in_use, "blue"),
        ("shared", shared, "yellow"),
        ("reclaimable", total - in_use - shared, "green"),
    ]
    if output.stdout_is_terminal and total > 0:
        show_styled(output, _bar([(size, style) for _, size, style in parts], output.environment))
    text = ", ".join(f"{format_bytes(size)} {name}" for name, size, _ in parts)
    count = f"{len(records)} record{'s' * (len(records) != 1)}"
    output.write(f"{format_bytes(total)} in {count}: {text}\n")


def show_removed(output: Output, record: UsageRecord) -> None:
    """Write a line of what has been removed, for a terminal; each is written as it goes."""
    from rich.text import Text

    kind = output.clean_cell(record.record_type or "regular")
    line = Text()
    line.append(f"{format_bytes(record.size_bytes):>10}", style="green")
    line.append(f"  {kind:<18}  {output.clean_cell(record.description or record.id)}")
    line.truncate(output.environment.terminal_size(output.environment.stdout)[0] - 1, overflow="ellipsis")
    show_styled(output, line)


def _bar(parts: Sequence[tuple[int, str]], environment: Environment) -> Text:
    """Coloured parts, in proportion."""
    from rich.text import Text

    from buildctl.progress.terminal import TerminalOptions

    glyph = "━" if TerminalOptions.from_variables(environment.variables).glyphs else "="
    width = min(_BAR_MAXIMUM, environment.terminal_size(environment.stdout)[0] - 1)
    total = sum(max(0, size) for size, _ in parts)
    bar, drawn, reached = Text(), 0, 0
    for size, style in parts:
        reached += max(0, size)
        until = round(width * reached / total)
        bar.append(glyph * (until - drawn), style=style)
        drawn = until
    return bar


def _row(record: UsageRecord, depth: int, environment: Environment, rules: Mapping[str, str] | None) -> Row:
    from buildctl.cli.history.rows import age

    on_terminal = environment.is_terminal(environment.stdout)
    used_ns = record.last_used_at_ns
    if used_ns is None:
        last_used = "never" if on_terminal else ""
    else:
        last_used = age(used_ns, environment) if on_terminal else environment.local_time(used_ns)
    state, style = _state(record)
    indent = "  " * min(depth, _TREE_DEPTH)
    row: list[str | Cell] = [
        format_bytes(record.size_bytes),
        indent + (record.description or "-"),
        record.record_type or "regular",
        last_used,
        str(record.usage_count),
        Cell(state, style),
        record.id[:_ID_ON_TERMINAL] if on_terminal else record.id,
    ]
    return row if rules is None else [*row, rules.get(record.id, "-")]


def _state(record: UsageRecord) -> tuple[str, str]:
    if record.in_use:
        return "in use", "blue"
    return ("shared", "yellow") if record.shared else ("reclaimable", "green")


def _show_groups(
    output: Output,
    records: Sequence[UsageRecord],
    key: Callable[[UsageRecord], str],
    selection: Selection,
) -> None:
    groups: dict[str, list[UsageRecord]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    sizes = {name: sum(record.size_bytes for record in members) for name, members in groups.items()}
    columns = (
        Column("SIZE", numeric=True),
        Column("RECLAIMABLE", numeric=True),
        Column("RECORDS", numeric=True),
        Column(selection.group_by.upper(), flexible=True),
    )
    rows = [
        (
            format_bytes(sizes[name]),
            format_bytes(sum(record.size_bytes for record in groups[name] if not record.in_use)),
            str(len(groups[name])),
            name,
        )
        for name in sorted(groups, key=lambda name: -sizes[name])
    ]
    show_listing(output, columns, rows)


def _depths(records: Sequence[UsageRecord]) -> dict[str, int]:
    """Each record below the first of its parents that is shown, by id, in the order of the tree.

    Records in a circle, which no daemon should have, stand at the top.
    """
    known = {record.id for record in records}
    children: dict[str, list[str]] = {}
    tops = []
    for record in records:
        parent = next((parent for parent in record.parents if parent in known and parent != record.id), None)
        if parent is None:
            tops.append(record.id)
        else:
            children.setdefault(parent, []).append(record.id)
    depths: dict[str, int] = {}
    for start in (*tops, *(record.id for record in records)):
        waiting = [(start, 0)]
        while waiting:
            name, depth = waiting.pop()
            if name in depths:
                continue
            depths[name] = depth
            waiting += [(child, depth + 1) for child in reversed(children.get(name, ()))]
    return depths
