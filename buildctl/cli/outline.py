"""`buildctl outline`: what a Dockerfile takes."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.frontendquery import Question, ask, check_style, question_flags, show
from buildctl.cli.grammar import Command, flag

_QUESTION = Question("frontend.outline", "0.11")


@click.command(
    "outline",
    cls=Command,
    argument="[PATH|URL|-]",
    epilog="""
    $ buildctl outline
    $ buildctl outline --format json app
    """,
)
@question_flags
@flag("--format", "style", default="text", metavar="FORMAT", help="text or json.")
@pass_app
def command(
    app: App, args: tuple[str, ...], file: str, target: str, build_args: tuple[str, ...], style: str
) -> None:
    """List the build arguments, secrets, SSH sockets and cache mounts that a Dockerfile takes."""
    check_style(style, ("text", "json"))
    show(app, ask(app, _QUESTION, args, file, target, build_args), style)
