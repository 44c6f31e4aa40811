"""What every command works with: the global flags, the environment, and a client when it asks for one.

Nothing is imported or opened before a command needs it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from buildctl.cli.environment import Environment, program_arguments
from buildctl.cli.output import Output
from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.telemetry.selection import Selection, select_exporter

if TYPE_CHECKING:
    from buildctl.cli.settings.load import Settings
    from buildctl.client.client import Client
    from buildctl.errors import RPCError
    from buildctl.model.address import TLSOptions
    from buildctl.telemetry.trace import Trace

T = TypeVar("T")

STREAM_INTERRUPTED = "rpc error: code = Canceled desc = context canceled"
"""What the reference says when a stream that it reads is interrupted."""
TLS_VARIABLES = (
    "BUILDKIT_TLS_CACERT",
    "BUILDKIT_TLS_CERT",
    "BUILDKIT_TLS_KEY",
    "BUILDKIT_TLS_DIR",
    "BUILDKIT_TLS_SERVERNAME",
)
_WAIT_INTERRUPTED = "got SIGTERM/SIGINT, forcing shutdown"


class GlobalFlags(NamedTuple):
    """The flags that every command has."""

    debug: bool = False
    addr: str | None = None
    """None where it was not given, which is not the same as empty."""
    daemon: str = ""
    """The name of a daemon of the settings."""
    log_format: str = "text"
    tlsservername: str = ""
    tlscacert: str = ""
    tlscert: str = ""
    tlskey: str = ""
    tlsdir: str = ""
    timeout: int = 5
    """Seconds; 0 is no limit."""
    wait: bool = False
    stall_timeout: int = 60_000_000_000
    """Nanoseconds; 0 is no limit."""


class App:
    """One invocation of the program."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.output = Output(environment)
        """Where all that people read is written."""
        self.flags = GlobalFlags()
        self.exporter = Selection()
        self._waiting = False
        self.typed = GlobalFlags()
        """The global flags as they were typed."""
        self.settings: Settings | None = None
        """What holds without being typed; None where there are no settings files."""
        self.trace: Trace | None = None
        """The trace that the running command belongs to."""

    def configure(self, flags: GlobalFlags) -> None:
        """Take the global flags. Raises `UsageError` for a log format that does not exist."""
        if flags.log_format not in ("", "text", "json"):
            raise UsageError(f"unsupported log type {quote(flags.log_format)}", hint="use text or json")
        from buildctl.cli import log

        self.typed = flags
        if (
            flags.daemon
            or self.settings is not None
            or any(map(self.environment.variables.get, TLS_VARIABLES))
        ):
            from buildctl.cli.settings.load import Settings
            from buildctl.cli.settings.target import resolve_daemon

            settings = self.settings or Settings()
            flags, _ = resolve_daemon(flags, settings, self.environment.variables)
        self.flags = flags
        log.configure(self.output, flags.log_format, debug=flags.debug)

    def load_settings(self) -> None:
        """Read the settings files, if there are any. Raises `UsageError`."""
        from buildctl.cli.settings.find import has_settings

        variables = self.environment.variables
        if has_settings(variables):
            from buildctl.cli.settings.load import load_settings

            self.settings = load_settings(variables)

    def select_exporter(self) -> None:
        """Choose where traces go. Raises `UsageError`: whatever is asked for, it fails then."""
        self.exporter = select_exporter(self.environment.variables)

    @contextlib.contextmanager
    def traced(self, name: str) -> Iterator[None]:
        """Run a command's function within its trace, and send what was recorded of it."""
        from buildctl.telemetry.trace import open_trace

        arguments: tuple[str, ...] = ("buildctl",)
        if self.exporter.protocol:
            from buildctl.cli.arguments import shown_arguments

            arguments += tuple(shown_arguments(program_arguments()))
        self.trace = open_trace(self.exporter, self.environment.variables, name, arguments)
        try:
            with self.trace.ending():
                yield
        finally:
            self.trace.export()

    def show_help(self, ctx: click.Context, topic: Sequence[str] = ()) -> None:
        """Write the help page of the context's command, or of `topic` below it, to standard output.

        Raises `UnknownTopicError` for a topic that does not exist.
        """
        from buildctl.cli.help import help_text

        environment = self.environment
        on_terminal = self.output.stdout_is_terminal
        columns = environment.terminal_size(environment.stdout)[0] if on_terminal else 80
        self.output.write(help_text(ctx, topic, columns=columns))

    @property
    def tls(self) -> TLSOptions:
        """What the TLS flags say; the files are not read yet."""
        from buildctl.model.address import TLSOptions

        flags = self.flags
        return TLSOptions(
            ca=flags.tlscacert,
            cert=flags.tlscert,
            key=flags.tlskey,
            directory=flags.tlsdir,
            server_name=flags.tlsservername,
        )

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        """A client of the chosen daemon, closed at the end. Says on stderr which one was taken unasked."""
        from buildctl.client.client import Client
        from buildctl.transport.discovery import choose_address

        variables = self.environment.variables
        choice = choose_address(self.flags.addr, variables, takes_words=True)
        if choice.notice:
            self.output.say(choice.notice + "\n")
        connection = Client.connect(
            choice.address,
            tls=self.tls,
            environ=variables,
            trace=self.trace,
            stall_seconds=self.flags.stall_timeout / 1e9,
        )
        async with connection as client:
            if client.notice:
                self.output.say(client.notice + "\n")
            if self.flags.wait:
                await self._wait_for(client)
            yield client

    async def _wait_for(self, client: Client) -> None:
        """Wait until the daemon answers; a person at a terminal sees why it does not, a log tells of it."""
        import logging

        said = ""

        def say(error: RPCError) -> None:
            nonlocal said
            if str(error) == said:
                return
            said = str(error)
            if self.output.stderr_is_terminal:
                self.output.say(f"waiting for the daemon: {said}\n")
            else:
                logging.getLogger(__name__).debug("waiting for the daemon: %s", said)

        timeout = self.flags.timeout
        self._waiting = True
        try:
            await client.wait(timeout if timeout > 0 else None, on_failure=say)
        except Exception:
            self._waiting = False
            raise
        self._waiting = False

    def run(self, main: Callable[[], Coroutine[Any, Any, T]], *, interrupted: str = "context canceled") -> T:
        """Run a command's coroutine to its end, with Ctrl-C, SIGTERM and SIGHUP as cancellation.

        The first signal cancels: the command tells the daemon, shows how it ends, and `BuildctlError` is
        raised with the text `interrupted`. The second cancels that too and leaves as soon as temporary things
        are gone, in a second at most.
        """
        from buildctl.cli import running

        return running.run(main, lambda: _WAIT_INTERRUPTED if self._waiting else interrupted)


def pass_app(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command's function the running `App`, configured by the global flags, as its first argument."""

    @click.pass_context
    @functools.wraps(function)
    def with_app(ctx: click.Context, /, **params: Any) -> None:
        app: App = ctx.obj
        given = ctx.find_root().params
        app.configure(GlobalFlags(**{name: given[name] for name in GlobalFlags._fields}))
        with app.traced(_outermost(ctx)):
            function(app, **params)

    return with_app


def _outermost(ctx: click.Context) -> str:
    """The name of the command below the program's own: that of the group, for one within a group."""
    while ctx.parent is not None and ctx.parent.parent is not None:
        ctx = ctx.parent
    return ctx.command.name or ""
