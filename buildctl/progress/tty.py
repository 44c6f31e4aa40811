"""The live tree on a terminal. The only module that knows rich: it measures characters and styles text.

Rows come from `frame`, go through rich's styles, which reduce colours to what the terminal has, and are put
on the screen by `live`. Text is never parsed as rich markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.style import Style

from buildctl.model.status import SolveStatus
from buildctl.progress.frame import Layout, Look, arrange, draw, final_frame
from buildctl.progress.line import Color, Ink, Line, Role, Span, width_of
from buildctl.progress.live import RESTORE, LivePicture, Rendered
from buildctl.progress.survey import State, Surveyor, survey
from buildctl.progress.terminal import TerminalOptions
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.tree import grow
from buildctl.progress.visible import visible
from buildctl.progress.vt import PLAIN, read_line
from buildctl.progress.warnings import told_warnings

_COLOR_SYSTEMS = {
    None: ColorSystem.STANDARD,
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}


class TTYRenderer:
    """Shows a build as a tree that redraws itself. `size` gives the window's columns and lines now."""

    replaces = True
    restore = RESTORE.encode()

    def __init__(self, size: Callable[[], tuple[int, int]], options: TerminalOptions) -> None:
        self._size = size
        self._trace = Trace()
        self._layout: Layout | None = None
        self._arranged_for = 0, 0
        self._picture = LivePicture()
        self._palette = _Palette(options)
        self._ascii = not options.utf8
        self._surveyor = Surveyor(self._trace, ascii_only=self._ascii)
        self._look = Look(cell_len, options.glyphs, self._ascii, options.log_lines, options.most_log_lines)
        self._notes = options.warnings
        self._outcome: State | None = None

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        """Take in a message; it is seen in the next frame."""
        self._trace.update(status)
        self._surveyor.note(status)
        self._layout = None
        return b""

    def render(self, now_ns: int) -> bytes:
        """The bytes that make the last frame the present one; none if they look the same."""
        width, height = self._size()
        if self._layout is None or self._arranged_for != (width, height):
            self._layout = arrange(self._surveyor.survey(), width, height, self._look)
            self._arranged_for = width, height
        lines = [] if self._layout is None else draw(self._layout, now_ns)
        return self._encode(self._noted() + self._picture.draw(self._rendered(lines), width, height))

    def leave(self, now_ns: int) -> bytes:
        """The present frame, to stay; the next one is drawn below whatever is written meanwhile."""
        width, height = self._size()
        self._layout = arrange(self._surveyor.survey(), width, height, self._look)
        self._arranged_for = width, height
        lines = [] if self._layout is None else draw(self._layout, now_ns)
        return self._encode(self._noted() + self._picture.leave(self._rendered(lines), width, height))

    def note_failure(self, *, canceled: bool) -> None:
        """How the head of the last frame is to call the end, also where no step has failed."""
        self._outcome = State.CANCELED if canceled else State.FAILED

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        """The whole tree in place of the last frame, warnings, what is to be said, logs of what failed."""
        width, height = self._size()
        lines: list[Line] = []
        if self._trace.vertexes:
            ended = survey(self._trace, grow(self._trace, ascii_only=self._ascii), ended=True)
            lines = final_frame(ended, now_ns, width, self._look, self._outcome)
        tree = self._noted() + self._picture.leave(self._rendered(lines), width, height)
        tree += "".join(f"{line}\r\n" for line in self._warnings())
        said = between.replace(b"\n", b"\r\n")
        return self._encode(tree) + said + self._encode("".join(f"{line}\r\n" for line in self._failures()))

    def _rendered(self, lines: Iterable[Line]) -> list[Rendered]:
        return [Rendered(self._palette.render(line), width_of(line, cell_len)) for line in lines]

    def _noted(self) -> str:
        notes, self._notes = self._notes, ()
        return "".join(f"warning: {visible(note, ascii_only=self._ascii)}\r\n" for note in notes)

    def _warnings(self) -> Iterator[str]:
        """Each warning of the frontend whole, with its place and where to read on; the tree counts them."""
        for warning in told_warnings(self._trace.vertexes):
            for number, text in enumerate(warning.lines):
                shown = visible(text, ascii_only=self._ascii)
                yield self._palette.render((Span(shown, Role.WARNING if number == 0 else Role.PLAIN),))

    def _failures(self) -> Iterator[str]:
        """The reference's error block (progressui's printErrorLogs), made safe."""
        for vertex in self._trace.vertexes:
            if vertex.failed:
                yield "------"
                yield f" > {visible(vertex.name, ascii_only=self._ascii)}:"
                yield from self._log(vertex)
                yield "------"

    def _log(self, vertex: VertexTrace) -> Iterator[str]:
        ink = PLAIN
        if vertex.log.dropped_bytes:
            yield f"[{vertex.log.dropped_bytes} bytes before this were not kept]"
        for line in vertex.log.lines():
            seconds, _, text = line.partition(b" ")
            spans, ink = read_line(text, ink, ascii_only=self._ascii)
            # In a window of its own output is dimmed; here it is what counts.
            spans = [span if isinstance(span.style, Ink) else Span(span.text) for span in spans]
            yield f"{seconds.decode(errors='replace')} {self._palette.render(spans)}"

    def _encode(self, text: str) -> bytes:
        return text.encode("ascii" if self._ascii else "utf-8", "backslashreplace")


class _Palette:
    """How roles and inks look, as the control sequences around a text."""

    def __init__(self, options: TerminalOptions) -> None:
        self._system = _COLOR_SYSTEMS[options.color_system]
        self._colorless = options.color_system is None
        self._around: dict[Role | Ink, tuple[str, str]] = {
            role: self._sequences(style) for role, style in _roles(options).items()
        }

    def render(self, line: Iterable[Span]) -> str:
        parts: list[str] = []
        for text, style in line:
            around = self._around.get(style)
            if around is None:
                around = self._sequences(_ink_style(style)) if isinstance(style, Ink) else ("", "")
                if len(self._around) < 1024:  # a step can print any number of colours
                    self._around[style] = around
            parts.append(around[0] + text + around[1] if text.strip() or isinstance(style, Ink) else text)
        return "".join(parts)

    def _sequences(self, style: Style) -> tuple[str, str]:
        if self._colorless:
            style = style.without_color
        before, _, after = style.render("x", color_system=self._system).partition("x")
        return before, after


def _roles(options: TerminalOptions) -> Mapping[Role, Style]:
    colors = options.colors

    def colored(color: Color | None, *, bold: bool = False) -> Style:
        return Style(color=_color(color), bold=bold or None)

    return {
        Role.PLAIN: Style.null(),
        Role.HEAD: Style(bold=True),
        Role.STAGE: Style(bold=True),
        Role.FAINT: Style(dim=True),
        Role.LOG: Style(dim=True),
        Role.RUN: colored(colors.run),
        Role.DONE: colored(colors.done),
        Role.CACHED: colored(colors.cached),
        Role.CANCEL: colored(colors.cancel),
        Role.ERROR: colored(colors.error, bold=True),
        Role.WARNING: colored(colors.warning),
    }


def _ink_style(ink: Ink) -> Style:
    return Style(
        color=_color(ink.color),
        bgcolor=_color(ink.background),
        bold=ink.bold or None,
        dim=ink.dim or None,
        italic=ink.italic or None,
        underline=ink.underline or None,
        reverse=ink.reverse or None,
    )


def _color(color: Color | None) -> RichColor | None:
    if color is None:
        return None
    return RichColor.from_ansi(color) if isinstance(color, int) else RichColor.from_rgb(*color)
