"""`buildctl targets`: which stages a Dockerfile has."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.frontendquery import Question, ask, check_style, question_flags, show
from buildctl.cli.grammar import Command, flag

_QUESTION = Question("frontend.targets", "0.11")


@click.command(
    "targets",
    cls=Command,
    argument="[PATH|URL|-]",
    epilog="""
    $ buildctl targets
    $ buildctl targets --format json app
    """,
)
@question_flags
@flag("--format", "style", default="text", metavar="FORMAT", help="text or json.")
@pass_app
def command(
    app: App, args: tuple[str, ...], file: str, target: str, build_args: tuple[str, ...], style: str
) -> None:
    """List the stages of a Dockerfile that can be built, with their comments."""
    check_style(style, ("text", "json"))
    show(app, ask(app, _QUESTION, args, file, target, build_args), style)
