"""`buildctl debug info`: which BuildKit answers. Layout: cmd/buildctl/debug/info.go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from buildctl.cli.alldaemons import all_daemons_flag, ask_all, check_complete, daemon_answers
from buildctl.cli.app import App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command
from buildctl.cli.table import align_spaces

if TYPE_CHECKING:
    from buildctl.model.workers import BuildkitVersion


@click.command(
    "info",
    cls=Command,
    epilog="""
    $ buildctl debug info
    $ buildctl debug info --format '{{.BuildkitVersion.Version}}'
    """,
)
@all_daemons_flag
@format_flag
@pass_app
def command(app: App, all_daemons: bool, template: str) -> None:
    """Show the versions of the daemon and of its Dockerfile frontend."""

    async def run() -> None:
        async with app.connect() as client:
            version = await client.info()
        if parsed := parse_format(template):
            from buildctl.cli.gorecords import info

            write_formatted(parsed, info(version), app.output.write)
            return
        app.output.write_table(rows_of(version), align_spaces)

    async def run_all() -> None:
        found = await ask_all(app, lambda client: client.info())
        if parsed := parse_format(template):
            from buildctl.cli.gorecords import info

            answers = [(name, info(version)) for name, version in found]
            write_formatted(parsed, daemon_answers(answers), app.output.write)
        else:
            rows = [row for name, version in found for row in (("Daemon:", name), *rows_of(version))]
            app.output.write_table(rows, align_spaces)
        check_complete(app)

    app.run(run_all if all_daemons else run)


def rows_of(version: BuildkitVersion) -> list[tuple[str, str]]:
    """The versions as `key: value` lines."""
    rows = [("BuildKit:", f"{version.package} {version.version} {version.revision}")]
    if version.dockerfile_version:
        rows.append(("Dockerfile:", version.dockerfile_version))
    return rows
