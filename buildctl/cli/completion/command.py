"""`buildctl completion SHELL`: a shell's completion script, for those whose package did not install it."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import Command
from buildctl.errors import UsageError

SHELLS = ("bash", "fish", "pwsh", "zsh")


@click.command(
    "completion",
    cls=Command,
    argument="SHELL",
    epilog="""
    $ source <(buildctl completion bash)                       # in ~/.bashrc
    $ source <(buildctl completion zsh)                        # in ~/.zshrc, after compinit
    $ buildctl completion fish > ~/.config/fish/completions/buildctl.fish
    > buildctl completion pwsh | Out-String | Invoke-Expression   # in $PROFILE
    """,
)
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """Print the completion script for bash, fish, pwsh (PowerShell) or zsh."""
    if not args:
        raise UsageError(
            f"no shell provided for completion command. available shells are [{' '.join(SHELLS)}]",
            hint="for example: source <(buildctl completion bash)",
        )
    if args[0] not in SHELLS:
        raise UsageError(f"unknown shell {args[0]}, available shells are [{' '.join(SHELLS)}]")
    from buildctl.cli.completion.generate import completion_script

    app.output.write_content(completion_script(args[0]).encode())
