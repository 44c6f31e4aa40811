"""`--on-error`, `--debug-shell` and `--shell-image`: where a build is to stop for a shell, and which."""

from __future__ import annotations

from typing import NamedTuple

from buildctl.errors import UsageError

ACTIONS = ("", "fail", "shell")


class ShellOptions(NamedTuple):
    """What the flags ask for."""

    on_error: bool = False
    step: str = ""
    """Where to stop before it runs: a part of a step's name."""
    image: str = ""
    """An image with a static shell, for steps that have none."""

    @property
    def is_wanted(self) -> bool:
        return self.on_error or bool(self.step)


def parse_shell(on_error: str, step: str, image: str, *, has_console: bool) -> ShellOptions:
    """The flags' values. Raises `UsageError` for what is not known, or cannot be without a terminal."""
    if on_error not in ACTIONS:
        raise UsageError(f"invalid --on-error {on_error}", hint="use fail or shell")
    options = ShellOptions(on_error == "shell", step, image)
    if image and not options.is_wanted:
        raise UsageError("--shell-image is for --on-error=shell and --debug-shell")
    if options.is_wanted and not has_console:
        flag = "--on-error=shell" if options.on_error else "--debug-shell"
        raise UsageError(f"{flag} needs a terminal", hint="run it where somebody can type")
    return options
