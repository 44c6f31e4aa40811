"""Which display: `--progress` and the environment become a mode, and a mode becomes a display.

The mode is chosen without importing any renderer, so that a wrong one is refused before anything starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from buildctl.errors import UsageError
from buildctl.model.status import SolveStatus
from buildctl.progress.display import Display
from buildctl.progress.masking import Masker
from buildctl.progress.mode import SERVICES, service_of
from buildctl.progress.mode import Mode as Mode
from buildctl.progress.renderer import Renderer
from buildctl.progress.writer import StreamWriter

if TYPE_CHECKING:
    from buildctl.progress.dialect import Dialect
    from buildctl.progress.hold import TerminalHold


_ON_TERMINALS = frozenset({Mode.BUILDKITE})
"""Services that run every job on a pseudo-terminal."""
_TEXT = frozenset(Mode) - {Mode.TTY, Mode.RAWJSON, Mode.QUIET}
_DROPPED_NOTE = b"\n[%d bytes of progress were not read in time and are lost]\n\n"


def choose_mode(value: str, *, is_terminal: bool, variables: Mapping[str, str], in_ci: bool = False) -> Mode:
    """The mode that `--progress VALUE` means on this stream. Raises `UsageError`.

    `auto` gives way to BUILDKIT_PROGRESS and then, if the stream may be for a job's log (`in_ci`), to the CI
    service that the variables name, unless somebody looks on from a terminal. The empty value means the same
    but gives way to neither. A terminal that cannot move its cursor gets plain text, asked or not.
    """
    if value == "auto":
        value = variables.get("BUILDKIT_PROGRESS") or value
    if value == "auto" and in_ci:
        service = service_of(variables)
        if service is not None and (not is_terminal or service in _ON_TERMINALS):
            return service
    if value in ("", "auto"):
        value = Mode.TTY if is_terminal else Mode.PLAIN
    try:
        mode = Mode(value)
    except ValueError:
        known = ", ".join(["auto", *Mode])
        raise UsageError(f"invalid progress mode {value}", hint=f"The modes are {known}.") from None
    if mode is Mode.TTY and not is_terminal:
        raise UsageError(
            "failed to get console: provided file is not a console",
            hint="The live display needs a terminal; use plain where there is none.",
        )
    if mode is Mode.TTY:
        from buildctl.progress.terminal import TerminalOptions

        if not TerminalOptions.from_variables(variables).moves_cursor:
            return Mode.PLAIN
    return mode


def open_display(
    mode: Mode,
    fd: int,
    *,
    began_ns: int,
    size: Callable[[], tuple[int, int]],
    variables: Mapping[str, str],
    by_daemon_clock: bool = False,
    also: Sequence[Callable[[SolveStatus], None]] = (),
    locate: Callable[[str], str] = str,
    clock: Callable[[], int] | None = None,
    masker: Masker | None = None,
    is_terminal: bool = False,
    inert: bool = False,
) -> Display:
    """A display that writes to `fd`; `size` gives its columns and lines, if it is a terminal.

    `locate` turns the name of a build file into the path that warnings are to show. `clock` is what the
    renderer is told of the time, in nanoseconds, if that is not the display's own. Where a CI service may
    read what is written, it is `inert`.
    """
    writer = StreamWriter(fd, dropped_note=_DROPPED_NOTE if mode in _TEXT else b"")
    renderer = _renderer(mode, size, variables, locate, is_terminal, inert)
    if is_terminal and mode is Mode.PLAIN:
        from buildctl.progress.harmless import HarmlessText
        from buildctl.progress.passed import Passed

        renderer = Passed(renderer, HarmlessText())
    if inert and mode in _TEXT - SERVICES:  # a service's own display has commands of ours
        from buildctl.progress.ci.inert import InertText
        from buildctl.progress.passed import Passed

        renderer = Passed(renderer, InertText())
    hold: TerminalHold | None = None
    if mode is Mode.TTY:
        from buildctl.progress.hold import TerminalHold

        hold = TerminalHold(fd, renderer.restore)
    if clock is not None:
        from buildctl.progress.pace import OnClock

        renderer = OnClock(renderer, clock)
    return Display(
        renderer,
        writer,
        began_ns=began_ns,
        rate_ms=parse_rate(variables),
        by_daemon_clock=by_daemon_clock,
        also=also,
        masker=masker,
        hold=hold,
    )


def _renderer(
    mode: Mode,
    size: Callable[[], tuple[int, int]],
    variables: Mapping[str, str],
    locate: Callable[[str], str],
    is_terminal: bool,
    inert: bool,
) -> Renderer:
    match mode:
        case Mode.PLAIN:
            from buildctl.progress.plain import PlainPrinter

            return PlainPrinter(trim_names=variables.get("PROGRESS_NO_TRUNC") == "0")
        case Mode.RAWJSON:
            from buildctl.progress.rawjson import RawJSONRenderer

            return RawJSONRenderer(on_terminal=is_terminal, inert=inert)
        case Mode.QUIET:
            from buildctl.progress.quiet import QuietRenderer

            return QuietRenderer()
        case Mode.TTY:
            from buildctl.progress.terminal import TerminalOptions
            from buildctl.progress.tty import TTYRenderer

            return TTYRenderer(size, TerminalOptions.from_variables(variables))
        case Mode.ERRORS:
            from buildctl.progress.failures import FailurePrinter

            return FailurePrinter()
        case _:
            from buildctl.progress.dialect import Dialect
            from buildctl.progress.sections import SectionPrinter

            return SectionPrinter(dialect_of(mode, locate) or Dialect(locate))


def dialect_of(mode: Mode, locate: Callable[[str], str]) -> Dialect | None:
    """The marks of the CI service that a mode is for; None for all other modes."""
    match mode:
        case Mode.GITHUB:
            from buildctl.progress.ci.github import GitHub

            return GitHub(locate)
        case Mode.GITLAB:
            from buildctl.progress.ci.gitlab import GitLab

            return GitLab(locate)
        case Mode.BUILDKITE:
            from buildctl.progress.ci.buildkite import Buildkite

            return Buildkite(locate)
        case Mode.AZURE:
            from buildctl.progress.ci.azure import Azure

            return Azure(locate)
        case Mode.TEAMCITY:
            from buildctl.progress.ci.teamcity import TeamCity

            return TeamCity(locate)
    return None


def parse_rate(variables: Mapping[str, str]) -> int | None:
    """TTY_DISPLAY_RATE in milliseconds; None if it is no positive number, which is then ignored."""
    text = variables.get("TTY_DISPLAY_RATE", "")
    return int(text) if re.fullmatch(r"\+?0*[1-9][0-9]{0,8}", text, re.ASCII) else None
