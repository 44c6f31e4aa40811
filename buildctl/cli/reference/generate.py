"""Every reference page by its path in the project; as a program, written there.

python -m buildctl.cli.reference.generate [FOLDER]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from buildctl import __version__
from buildctl.cli.grammar import Group
from buildctl.cli.page import Page, page_of
from buildctl.cli.reference.library import llb_page
from buildctl.cli.reference.man import man_name, man_page
from buildctl.cli.reference.markdown import file_name, markdown_index, markdown_page


def reference_files() -> dict[str, str]:
    """The text of each page: Markdown in docs/reference, man pages in docs/man."""
    from buildctl.cli.main import root

    pages = list(_pages(click.Context(root, info_name="buildctl"), visible=True))
    names = {page.path: man_name(page.path) for page, _ in pages}
    files = {"docs/reference/README.md": markdown_index(pages)}
    for page, _ in pages:
        related = [
            name
            for path, name in names.items()
            if path != page.path and (path == page.path[:-1] or path[:-1] == page.path)
        ]
        files[f"docs/reference/{file_name(page.path)}"] = markdown_page(page)
        files[f"docs/man/{names[page.path]}.1"] = man_page(page, __version__, related)
    files["docs/reference/llb.md"] = llb_page()
    return files


def _pages(ctx: click.Context, *, visible: bool) -> Iterator[tuple[Page, bool]]:
    """The pages of a command and of all below it, each with whether help lists it."""
    yield page_of(ctx), visible
    group = ctx.command
    if isinstance(group, Group):
        for name in group.lazy:
            command = group.get_command(ctx, name)
            if command is not None and not name.startswith("__"):
                below = click.Context(command, info_name=name, parent=ctx)
                yield from _pages(below, visible=visible and name not in group.hidden_commands)


def main(folder: Path) -> None:
    """Write all pages below the folder, and remove those of commands that are gone."""
    files = reference_files()
    for kept in ("docs/reference", "docs/man"):
        (folder / kept).mkdir(parents=True, exist_ok=True)
        for path in (folder / kept).iterdir():
            if f"{kept}/{path.name}" not in files:
                path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
