"""The one door for what people read: whatever a command prints, on either stream, goes out here.

On a terminal it is made harmless: no control sequence of a daemon, a step or a file's name is obeyed, and in
the cells of a table nothing ends a line. In a job of a CI service nothing in it is a command of the service.
The secrets of the running command are hidden. Beyond that a pipe gets every byte as it is, for scripts read
the reference's. `tests/unit/cli/test_one_door.py` sees to it that nothing is written past this module.

A build's display has cursor movements of its own and a stream that may stall: `cli.display` opens it for this
door, with the same masker and the same knowledge of where it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from buildctl.cli.environment import Environment, write_all
from buildctl.errors import BuildctlError
from buildctl.progress.mode import service_of
from buildctl.system.failure import errno_text

if TYPE_CHECKING:
    from buildctl.cli.table import Row
    from buildctl.progress.masking import Masker


class _Stream(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class Output:
    """Standard output and standard error of one command.

    `write…` is for standard output and raises `BrokenPipeError` where its reader has left, `BuildctlError`
    for any other failure. `say…` is for standard error: of a full disk or a terminal that has gone nobody can
    be told, so that only a reader that has left is an error.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.in_ci = service_of(environment.variables) is not None
        """Whether a CI service may read commands from what is written."""
        self._masker: Masker | None = None
        self._filters: list[_Stream] | None = None

    @property
    def masker(self) -> Masker:
        """What knows the secrets of the running command, for those who record it; to be told of each."""
        if self._masker is None:
            from buildctl.progress.masking import Masker

            self._masker = Masker()
        return self._masker

    @property
    def stdout_is_terminal(self) -> bool:
        """Whether standard output is a terminal."""
        return self.environment.is_terminal(self.environment.stdout)

    @property
    def stderr_is_terminal(self) -> bool:
        """Whether standard error is a terminal."""
        return self.environment.is_terminal(self.environment.stderr)

    def mask(self, text: str) -> str:
        """The text without secrets, for a file."""
        return text if self._masker is None else self._masker.mask_text(text)

    def write(self, text: str | bytes) -> None:
        """Write text, in pieces that may end anywhere, to standard output."""
        data = _encoded(text)
        if self._masker is not None:
            data = self._masker.mask(data)
        for stream in self._stdout_filters():
            data = stream.feed(data)
        self._write(data)

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write lines, given without newlines: on a terminal each stays one, whatever is in it."""
        one_line = _one_line(self.stdout_is_terminal)
        self.write("".join(f"{one_line(line)}\n" for line in lines))

    def write_table(self, rows: Iterable[Row], align: Callable[[str], str]) -> None:
        """Write rows in columns (`cli.table`); on a terminal nothing in a cell ends it."""
        cell = _one_line(self.stdout_is_terminal)
        self.write(align("".join("\t".join(map(cell, row)) + "\n" for row in rows)))

    def clean_cell(self, text: str) -> str:
        """A piece of a line as standard output may be given it, for who puts marks of his own around it."""
        from buildctl.progress.visible import visible

        text = visible(self.mask(text))
        if self.in_ci:
            from buildctl.progress.ci.inert import inert

            text = inert(_encoded(text)).decode("utf-8", "surrogateescape")
        return text

    def write_as_it_is(self, text: str) -> None:
        """Write what is made of cleaned pieces and marks of ours, such as the colours of a table."""
        self._write(_encoded(text))

    def write_content(self, data: bytes) -> None:
        """Write what is for programs, such as a blob, in pieces; a terminal gets it as text all the same."""
        if self.stdout_is_terminal:
            self.write(data)
        else:
            self._write(data)

    def flush(self) -> None:
        """Write what is kept of an unfinished line or character, when nothing more comes."""
        if self._filters is None:
            return
        data = b""
        for stream in self._filters:
            data = stream.feed(data) + stream.end()
        self._filters = None
        self._write(data)

    def say(self, text: str) -> None:
        """Write whole lines of text to standard error."""
        self.say_as_it_is(self.clean(text))

    def clean(self, text: str) -> str:
        """A piece of text as standard error may be given it, for who puts marks of his own around it."""
        text = self.mask(text)
        if self.stderr_is_terminal:
            from buildctl.progress.harmless import harmless

            text = harmless(text)
        if self.in_ci:
            from buildctl.progress.ci.inert import inert

            text = inert(_encoded(text)).decode("utf-8", "surrogateescape")
        return text

    def say_as_it_is(self, text: str) -> None:
        """Write what is made of cleaned pieces and marks of ours: colours, commands of a CI service."""
        try:
            write_all(self.environment.stderr, text)
        except BrokenPipeError:
            raise
        except OSError:
            pass

    def _stdout_filters(self) -> list[_Stream]:
        if self._filters is None:
            self._filters = []
            if self.stdout_is_terminal:
                from buildctl.progress.harmless import HarmlessText

                self._filters.append(HarmlessText(is_log=False))
            if self.in_ci:
                from buildctl.progress.ci.inert import InertText

                self._filters.append(InertText())
        return self._filters

    def _write(self, data: bytes) -> None:
        try:
            write_all(self.environment.stdout, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise BuildctlError(f"write /dev/stdout: {errno_text(error)}") from None


def _one_line(on_terminal: bool) -> Callable[[str], str]:
    if not on_terminal:
        return str
    from buildctl.progress.harmless import harmless
    from buildctl.progress.visible import visible

    return lambda text: visible(harmless(text))


def _encoded(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("utf-8", "surrogateescape")  # bytes that are no UTF-8 go out as they came
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
