"""`buildctl context ls`: what a build would send of a folder, and how big it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.context.folder import check_folder, file_flag, find_ignore_file, lost_rules, printable
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import BOOL, INT, Command, flag
from buildctl.cli.table import align_spaces
from buildctl.errors import UsageError
from buildctl.fsutil import survey
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.ignorefile import Rule
from buildctl.fsutil.survey import Counting, Held, Use
from buildctl.fsutil.walk import Walked
from buildctl.model.bytesize import format_bytes

if TYPE_CHECKING:
    from buildctl.fsutil.walk import Entry

_LARGEST = 5
_DEPTH = 2


class Listing(NamedTuple):
    """What would be sent."""

    folder: str
    ignore_file: str
    """Empty where there is none."""
    lost: str
    """What is to be said of one that a daemon does not find; mostly empty."""
    entries: Sequence[Entry]
    held: dict[bytes, Held]
    """What each folder holds; the root's path is empty."""
    walked: Walked
    rules: Sequence[tuple[Rule, Use]] = ()

    @property
    def largest(self) -> list[tuple[bytes, Held]]:
        return survey.largest(self.held, _LARGEST)


@click.command(
    "ls",
    cls=Command,
    argument="[DIR]",
    epilog="""
    $ buildctl context ls                      # folders two levels deep, totals
    $ buildctl context ls --depth 0 app        # every file of app
    $ buildctl context ls --rules              # what each rule of the ignore file does, and its time
    $ buildctl context ls --format '{{range .Entries}}{{.Size}} {{.Path}}{{println}}{{end}}'
    """,
)
@file_flag
@flag(
    "--depth", type=INT, default=_DEPTH, metavar="LEVELS", help="How deep the tree is shown; 0 is all of it."
)
@flag("--rules", type=BOOL, help="Count the paths that each rule decides, and time it.")
@format_flag
@pass_app
def command(app: App, args: tuple[str, ...], dockerfile: str, depth: int, rules: bool, template: str) -> None:
    """List what would be sent of a folder as a build's context, by the rules of its ignore file.

    A Dockerfile's build asks for less where COPY and ADD name less.
    """
    if len(args) > 1:
        raise UsageError("one folder is enough", hint="buildctl context ls [DIR]")
    if depth < 0:
        raise UsageError(f"invalid --depth {depth}", hint="use 0 for all levels, or how many to show")
    parsed = parse_format(template)
    folder = check_folder(args[0] if args else ".")
    found = find_ignore_file(folder, dockerfile)
    walked = Walked()
    counting = Counting(found.patterns) if rules else None
    entries = survey.entries(folder, counting or Filter((), found.patterns), walked)
    uses = tuple(counting.uses(app.environment.now_ns)) if counting else ()
    listing = Listing(
        folder,
        found.path,
        lost_rules(found),
        entries,
        survey.held_by_folder(entries),
        walked,
        tuple(zip(found.rules, uses, strict=True)) if rules else (),
    )
    if parsed:
        from buildctl.cli.context.records import listing_value

        write_formatted(parsed, listing_value(listing), app.output.write)
        return
    app.output.write(format_listing(listing, depth))


def format_listing(listing: Listing, depth: int) -> str:
    """The tree, the largest folders, the rules if they were counted, and the totals."""
    from buildctl.cli.context.tree import format_tree

    text = format_tree(listing.entries, listing.held, depth)
    if largest := listing.largest:
        text += "\nLARGEST FOLDERS\n"
        rows = (f"{format_bytes(one.size)}\t{one.files:,}\t{_path(path)}\n" for path, one in largest)
        text += align_spaces("SIZE\tFILES\tPATH\n" + "".join(rows))
    if listing.rules:
        text += f"\nRULES OF {printable(listing.ignore_file)}\n"
        text += align_spaces("LINE\tPATHS\tTIME\tRULE\n" + "".join(map(_rule_row, listing.rules)))
    return f"{text}\n{_totals(listing)}"


def _rule_row(item: tuple[Rule, Use]) -> str:
    rule, use = item
    return f"{rule.line}\t{use.decided:,}\t{use.took_ns / 1e6:.1f}ms\t{printable(rule.text)}\n"


def _totals(listing: Listing) -> str:
    held = listing.held[b""]
    folders = len(listing.held) - 1
    rows = [
        ("Ignore file", printable(listing.ignore_file) if listing.ignore_file else "none"),
        ("Looked at", f"{listing.walked.files:,} files, {listing.walked.folders - 1:,} folders"),
        ("Would be sent", f"{held.files:,} files, {folders:,} folders, {format_bytes(held.size)}"),
    ]
    text = align_spaces("".join(f"{key}:\t{value}\n" for key, value in rows))
    return text + (f"\n{listing.lost}\n" if listing.lost else "")


def _path(path: bytes) -> str:
    from buildctl.fsutil.glob import decode

    return printable(decode(path))
