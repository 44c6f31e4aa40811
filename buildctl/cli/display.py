"""A build's display on one of the process's own streams, as `--progress` and the environment have it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from buildctl.errors import UsageError

if TYPE_CHECKING:
    from buildctl.cli.environment import Environment
    from buildctl.cli.output import Output
    from buildctl.model.status import SolveStatus
    from buildctl.progress.display import Display
    from buildctl.progress.mode import Mode


def build_mode(environment: Environment, progress: str) -> Mode:
    """The mode for a build on standard error, which in a CI job may be the service's own.

    Raises `UsageError` for one that does not exist or needs a terminal.
    """
    from buildctl.progress.modes import choose_mode

    is_terminal = environment.is_terminal(environment.stderr)
    return choose_mode(progress, is_terminal=is_terminal, variables=environment.variables, in_ci=True)


def is_live(environment: Environment, progress: str) -> bool:
    """Whether a build is shown by the live display; a mode that cannot be is for `build_mode` to refuse."""
    from buildctl.progress.mode import Mode

    try:
        return build_mode(environment, progress) is Mode.TTY
    except UsageError:
        return False


def display_on(
    output: Output,
    descriptor: int,
    progress: str,
    *,
    by_daemon_clock: bool = False,
    also: Sequence[Callable[[SolveStatus], None]] = (),
    locate: Callable[[str], str] = str,
    clock: Callable[[], int] | None = None,
) -> Display:
    """The display for a mode. Raises `UsageError` for one that does not exist or needs a terminal.

    A build that is shown `by_daemon_clock` began at another time than the display. `also` gets each message
    as it is shown; `locate` turns the name of a build file into the path that warnings show; `clock` gives
    the time of a build that is not happening now. The command's secrets are hidden.
    """
    from buildctl.progress.modes import choose_mode, open_display

    environment = output.environment
    variables = environment.variables
    is_terminal = environment.is_terminal(descriptor)
    mode = choose_mode(progress, is_terminal=is_terminal, variables=variables)
    return open_display(
        mode,
        descriptor,
        began_ns=environment.now_ns(),
        size=functools.partial(environment.terminal_size, descriptor),
        variables=variables,
        by_daemon_clock=by_daemon_clock,
        also=also,
        locate=locate,
        clock=clock,
        masker=output.masker,
        is_terminal=is_terminal,
        inert=output.in_ci,
    )
