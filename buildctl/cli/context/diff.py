"""`buildctl context diff`: what has changed of a folder since a build last sent it."""

from __future__ import annotations

import os
from typing import NamedTuple

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.context.folder import check_folder, file_flag, find_ignore_file, printable
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command, flag
from buildctl.cli.table import align_spaces
from buildctl.errors import UsageError
from buildctl.fsutil import announced, followpaths, survey
from buildctl.fsutil.announced import Announced
from buildctl.fsutil.changes import Change, changes
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.glob import decode
from buildctl.fsutil.walk import walk
from buildctl.model.bytesize import format_bytes
from buildctl.session.statefolder import transfer_records


class Difference(NamedTuple):
    """What has changed since a build."""

    folder: str
    built: str
    """When its transfer ended, in local time as RFC 3339."""
    rules_changed: bool
    """Whether the ignore file has other rules now."""
    changes: list[Change]

    @property
    def files(self) -> int:
        """How many files a daemon would ask for."""
        return sum(1 for change in self.changes if change.after and survey.has_content(change.after))

    @property
    def size(self) -> int:
        """The bytes in them."""
        return sum(survey.content_size(change.after) for change in self.changes if change.after)


@click.command(
    "diff",
    cls=Command,
    argument="[DIR]",
    epilog="""
    $ buildctl context diff
    $ buildctl context diff --local assets ../assets
    """,
)
@file_flag
@flag(
    "--local",
    "name",
    default="context",
    metavar="NAME",
    help="The local name that the build gave to the folder.",
)
@format_flag
@pass_app
def command(app: App, args: tuple[str, ...], dockerfile: str, name: str, template: str) -> None:
    """List what has changed of a folder since this client's last build sent it.

    The paths that are looked at are those that the build asked for, by the rules of the ignore file now.
    """
    if len(args) > 1:
        raise UsageError("one folder is enough", hint="buildctl context diff [DIR]")
    parsed = parse_format(template)
    folder = check_folder(args[0] if args else ".")
    excludes = find_ignore_file(folder, dockerfile).patterns
    records = transfer_records(app.environment.variables)
    before = announced.read(records, folder, name) if records else None
    if before is None:
        raise UsageError(
            f"no build that sent {printable(folder)} as {printable(name)} is known",
            hint=f"changes are known after a build with --local {name}={folder}",
        )
    difference = Difference(
        folder,
        app.environment.local_time(before.ended_ns),
        tuple(before.selection.excludes) != excludes,
        changes_since(before, folder, excludes),
    )
    if parsed:
        from buildctl.cli.context.records import difference_value

        write_formatted(parsed, difference_value(difference), app.output.write)
        return
    app.output.write(format_difference(difference))


def changes_since(before: Announced, folder: str, excludes: tuple[str, ...]) -> list[Change]:
    """What a build like that one would send otherwise now. Raises `TransferError`."""
    includes, _, follow_paths = before.selection
    with survey.opened(folder) as root:
        choose = Filter(followpaths.include_patterns(includes, follow_paths, root), excludes)
        now = {entry.path: entry for entry in walk(root, os.fsencode(folder), choose)}
    return changes(before.entries, now)


def format_difference(difference: Difference) -> str:
    """A line for each path: `A` added, `D` removed, `M` changed and how; then the totals."""
    text = align_spaces("".join(map(_row, difference.changes)) + "\n") if difference.changes else ""
    if difference.rules_changed:
        text += "The ignore file has other rules than at that build.\n\n"
    kinds = [_letter(change) for change in difference.changes]
    rows = [
        ("Since the build of", difference.built),
        ("Added", f"{kinds.count('A'):,}"),
        ("Changed", f"{kinds.count('M'):,}"),
        ("Removed", f"{kinds.count('D'):,}"),
        ("To send", f"{difference.files:,} files, {format_bytes(difference.size)}"),
    ]
    return text + align_spaces("".join(f"{key}:\t{value}\n" for key, value in rows))


def _letter(change: Change) -> str:
    return "A" if change.before is None else "D" if change.after is None else "M"


def _row(change: Change) -> str:
    size = format_bytes(survey.content_size(change.after)) if change.after else ""
    return f"{_letter(change)}\t{size}\t{', '.join(change.what)}\t{printable(decode(change.path))}\n"
