"""Draws what would be sent as a tree, with the size of each file and of what each folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from buildctl.cli.context.folder import printable
from buildctl.fsutil import filemode
from buildctl.fsutil.glob import decode
from buildctl.fsutil.survey import content_size
from buildctl.model.bytesize import format_bytes

if TYPE_CHECKING:
    from buildctl.fsutil.survey import Held
    from buildctl.fsutil.walk import Entry


def format_tree(entries: Iterable[Entry], held: Mapping[bytes, Held], depth: int) -> str:
    """A line for each entry that lies at most `depth` levels deep, or all for 0, below one for the root."""
    shown = [entry for entry in entries if not depth or entry.path.count(b"/") < depth]
    last = set({entry.path.rpartition(b"/")[0]: entry.path for entry in shown}.values())
    rows = [(format_bytes(held[b""].size), ".")]
    lines: list[str] = []  # for each level whether its line goes on below
    for entry in shown:
        level = entry.path.count(b"/")
        del lines[level:]
        branch = "".join(lines) + ("└── " if entry.path in last else "├── ")
        lines.append("    " if entry.path in last else "│   ")
        rows.append((format_bytes(_size(entry, held)), branch + _name(entry, held, level + 1 == depth)))
    width = max(len(size) for size, _ in rows)
    return "".join(f"{size:>{width}}  {name}\n" for size, name in rows)


def _size(entry: Entry, held: Mapping[bytes, Held]) -> int:
    return held[entry.path].size if entry.mode & filemode.DIR else content_size(entry)


def _name(entry: Entry, held: Mapping[bytes, Held], cut: bool) -> str:
    name = printable(decode(entry.path.rpartition(b"/")[2]))
    if entry.mode & filemode.DIR:
        files = held[entry.path].files
        return f"{name}/ ({files:,} {'file' if files == 1 else 'files'})" if cut and files else f"{name}/"
    if entry.linkname:
        arrow = "->" if entry.mode & filemode.SYMLINK else "="
        return f"{name} {arrow} {printable(decode(entry.linkname))}"
    return name
