"""`buildctl debug info`: which BuildKit answers. Layout: cmd/buildctl/debug/info.go."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command
from buildctl.cli.table import align_spaces


@click.command(
    "info",
    cls=Command,
    epilog="""
    $ buildctl debug info
    $ buildctl debug info --format '{{.BuildkitVersion.Version}}'
    """,
)
@format_flag
@pass_app
def command(app: App, template: str) -> None:
    """Show the versions of the daemon and of its Dockerfile frontend."""

    async def run() -> None:
        async with app.connect() as client:
            version = await client.info()
        if parsed := parse_format(template):
            from buildctl.cli.gorecords import info

            write_formatted(parsed, info(version), app.output.write)
            return
        rows = [("BuildKit:", f"{version.package} {version.version} {version.revision}")]
        if version.dockerfile_version:
            rows.append(("Dockerfile:", version.dockerfile_version))
        app.output.write_table(rows, align_spaces)

    app.run(run)
