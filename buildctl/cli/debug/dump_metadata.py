"""`buildctl debug dump-metadata`: a daemon's metadata databases as text. Layout: debug/dumpmetadata.go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import Command, flag
from buildctl.errors import BuildctlError
from buildctl.model.quote import quote
from buildctl.system.failure import errno_text

if TYPE_CHECKING:
    from buildctl.boltdb import Bucket

_DATABASE = "metadata_v2.db"


@click.command(
    "dump-metadata",
    cls=Command,
    epilog="""
    $ buildctl debug dump-metadata
    $ buildctl debug dump-metadata --root ~/.local/share/buildkit
    """,
)
@flag("--root", default="/var/lib/buildkit", metavar="DIR", help="The daemon's state folder.")
@pass_app
def command(app: App, root: str) -> None:
    """Show every metadata database below a daemon's state folder. The daemon must not be running."""
    from buildctl.boltdb import open_database

    try:
        for path in find_databases(root):
            app.output.write(f"===== {path} =====\n")
            with open_database(path) as top:
                for line in format_bucket(top, ""):
                    app.output.write(line)
    except OSError as error:
        reason = errno_text(error)
        raise BuildctlError(
            f"open {error.filename}: {reason}", hint="--root names the state folder"
        ) from None


def find_databases(root: str) -> list[str]:
    """The databases in the folders right below `root`, by name. Raises `OSError`."""
    folders = sorted(path for path in Path(root).iterdir() if path.is_dir() and not path.is_symlink())
    return [str(folder / _DATABASE) for folder in folders if (folder / _DATABASE).exists()]


def format_bucket(bucket: Bucket, indent: str) -> Iterator[bytes]:
    """A line for each key, values as they are, and nested buckets two spaces further in."""
    for key, value in bucket.items():
        name = quote(key.decode(errors="surrogateescape"))
        if isinstance(value, bytes):
            yield f"{indent}{name}: ".encode() + value + b"\n"
        else:
            yield f"{indent}bucket {name}:\n".encode()
            yield from format_bucket(value, indent + "  ")
