"""`buildctl debug dump-llb`: a definition for people to read; no daemon is needed."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import UsageError
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_descriptor, read_named


@click.command(
    "dump-llb",
    cls=Command,
    argument="[FILE]",
    epilog="""
    $ buildctl debug dump-llb build.llb
    $ my-generator | buildctl debug dump-llb --dot | dot -Tsvg > graph.svg
    """,
)
@flag("--dot", type=BOOL, help="A graph in Graphviz's language instead of a line of JSON an op.")
@pass_app
def command(app: App, args: tuple[str, ...], dot: bool) -> None:
    """Show the ops of an LLB definition from a file, or from standard input."""
    from buildctl.llb.dump import dump_dot, dump_json

    data = read_input(args[0] if args else "-", app.environment.stdin)
    for line in dump_dot(data) if dot else dump_json(data):
        app.output.write(line)


def read_input(path: str, stdin: int) -> bytes:
    """All of the file, or of standard input for `-`. Raises `UsageError`."""
    from buildctl.llb.read import MOST_BYTES

    try:
        if path != "-":
            return read_named(path, limit=MOST_BYTES)
        return read_descriptor(stdin, "standard input", limit=MOST_BYTES)
    except OSError as error:
        raise UsageError(f"open {path}: {errno_text(error)}") from None
