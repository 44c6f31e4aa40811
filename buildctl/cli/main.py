"""From argv to exit code: the only module that prints errors and picks how the process ends."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import click

from buildctl import __version__
from buildctl.cli.app import App, GlobalFlags
from buildctl.cli.environment import Environment, program_arguments
from buildctl.cli.grammar import BOOL, DURATION, INT, STRING, Group, flag
from buildctl.errors import BuildctlError, ExitCode, FlagError, SolveError, UnknownTopicError
from buildctl.system.failure import errno_text

PACKAGE = "buildctl-python"
"""What stands for the Go package's path in `--version`."""

_FLAGS_OF_PARAMETERS = (
    ("ca", "--tlscacert"),
    ("cert", "--tlscert"),
    ("key", "--tlskey"),
    ("server_name", "--tlsservername"),
)


@click.group(
    "buildctl",
    cls=Group,
    short_help="build utility",
    epilog="""
    $ buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. \\
        --output type=local,dest=out
    $ buildctl --addr tcp://builder:1234 --tlsdir certs du
    $ buildctl build --help          # every flag, key and attribute
    """,
    lazy={
        "du": ("buildctl.cli.du", "disk usage"),
        "prune": ("buildctl.cli.prune", "clean up build cache"),
        "prune-histories": ("buildctl.cli.prune_histories", "clean up build histories"),
        "build": ("buildctl.cli.build", "build"),
        "debug": ("buildctl.cli.debug.group", "debug utilities"),
        "ps": ("buildctl.cli.ps", "list the builds that run now"),
        "attach": ("buildctl.cli.attach", "watch a build that runs"),
        "history": ("buildctl.cli.history.group", "builds that have run: list, logs, files"),
        "check": ("buildctl.cli.check", "look for mistakes in a Dockerfile"),
        "outline": ("buildctl.cli.outline", "what a Dockerfile takes: arguments, secrets"),
        "targets": ("buildctl.cli.targets", "which stages a Dockerfile has"),
        "why": ("buildctl.cli.why", "why steps of a build were not cached"),
        "compare": ("buildctl.cli.compare", "two builds side by side in time"),
        "context": ("buildctl.cli.context.group", "what a build sends of a folder, and why"),
        "timeline": ("buildctl.cli.timeline", "where the time of a build went"),
        "replay": ("buildctl.cli.replay", "show a saved build again"),
        "doctor": ("buildctl.cli.doctor.command", "look at all that a build depends on"),
        "daemon": ("buildctl.cli.daemon.group", "daemons by name"),
        "config": ("buildctl.cli.config", "which settings hold, and who said so"),
        "dial-stdio": ("buildctl.cli.dial_stdio", "proxy standard input and output to the daemon"),
        "completion": ("buildctl.cli.completion.command", "print a shell's completion script"),
        "__complete": ("buildctl.cli.completion.ask", "answer a completion script"),
    },
    aliases={"b": "build"},
    hidden_commands=("dial-stdio", "completion", "__complete"),
)
@flag("--debug", type=BOOL, help="Show debug messages, and where errors come from.")
@flag(
    "--addr",
    type=STRING._replace(absent=None),
    envvar="BUILDKIT_HOST",
    metavar="URL",
    help="The daemon: unix://, tcp://, docker://, daemonless://.",
)
@flag("--daemon", metavar="NAME", help="A daemon of the settings; buildctl daemon ls lists them.")
@flag("--log-format", default="text", metavar="FORMAT", help="Format of log messages: text or json.")
@flag(
    "--tlsservername",
    metavar="NAME",
    help="The name in the daemon's certificate. Default: the address's host.",
)
@flag(
    "--tlscacert",
    metavar="FILE",
    help="CA certificate (PEM) that the daemon's certificate must be signed by.",
)
@flag("--tlscert", metavar="FILE", help="Client certificate (PEM).")
@flag("--tlskey", metavar="FILE", help="Key of the client certificate (PEM).")
@flag("--tlsdir", metavar="DIR", help="Folder with ca.pem, cert.pem, key.pem or ca.crt, tls.crt, tls.key.")
@flag("--timeout", type=INT, default=5, metavar="SECONDS", help="How long --wait waits; 0 is for ever.")
@flag("--wait", type=BOOL, help="Wait until the daemon answers.")
@flag(
    "--stall-timeout",
    type=DURATION._replace(absent=GlobalFlags().stall_timeout),
    metavar="DURATION",
    help="Give up a daemon that shows no sign of life for so long; 0 is never.",
)
@flag("--profile-cpu", hidden=True)  # of the Go program itself; taken and ignored, as are the next five
@flag("--profile-memory", hidden=True)
@flag("--profile-memoryrate", type=INT, default=524288, hidden=True)
@flag("--profile-block", hidden=True)
@flag("--profile-mutex", hidden=True)
@flag("--profile-trace", hidden=True)
@flag("--version", "-v", type=BOOL, local=True, help="Print the version.")
def root(**flags: object) -> None:
    """Build images and files with a BuildKit daemon, and look after its cache."""


def main(arguments: Sequence[str] | None = None, environment: Environment | None = None) -> int:
    """Run one command line; returns the exit code."""
    app = App(environment or Environment.system())
    if environment is None:
        _catch_strays(app)
    try:
        try:
            return _run(app, list(program_arguments() if arguments is None else arguments))
        finally:
            app.output.flush()
    except UnknownTopicError as error:
        app.output.say(f"{error}\n")
        if app.output.stderr_is_terminal and (hint := _near(error, "buildctl ")):
            app.output.say(f"hint: {hint}\n")
        return error.exit_code
    except BuildctlError as error:
        return _report(app, error)
    except KeyboardInterrupt:  # before a command has begun to wait for signals itself, reading a pipe
        return _report(app, BuildctlError("context canceled"))
    except BrokenPipeError:
        return ExitCode.ERROR  # whoever read our output has left, and is not to be told of it
    except OSError as error:  # the system has no room left for what nobody expects to fail
        return _report(app, BuildctlError(errno_text(error)))
    except Exception as error:
        return _report_fault(app, error)


def _catch_strays(app: App) -> None:
    """Have Python say what it says by itself, of threads and finalizers that fail, as all else is said."""
    import sys
    import threading

    def say(kind: type[BaseException], error: BaseException | None, place: TracebackType | None) -> None:
        import traceback

        app.output.say("".join(traceback.format_exception(kind, error, place)))

    threading.excepthook = lambda args: say(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: say(args.exc_type, args.exc_value, args.exc_traceback)


def _report_fault(app: App, error: Exception) -> int:
    """Say where the program itself has failed; what it worked on may be in the text."""
    import traceback

    app.output.say("".join(traceback.format_exception(error)))
    fault = BuildctlError(
        f"a fault of buildctl: {type(error).__name__}", hint="please report it with the lines above"
    )
    return _report(app, fault)


def _run(app: App, arguments: list[str]) -> int:
    app.select_exporter()
    app.load_settings()
    try:
        ctx = root.make_context("buildctl", arguments, obj=app)
    except FlagError as error:
        app.output.say(f"Incorrect Usage: {error}\n\n")
        app.show_help(click.Context(root, info_name="buildctl", obj=app))
        raise
    with ctx:
        if ctx.params["version"]:
            app.output.write(f"buildctl {PACKAGE} v{__version__} \n")
            return ExitCode.OK
        if not (arguments or app.environment.variables.get("CI")) and app.environment.is_terminal(
            app.environment.stdout
        ):
            from buildctl.cli.welcome import welcome_text

            app.output.write(welcome_text(app))
            return ExitCode.OK
        try:
            ctx.command.invoke(ctx)
        except FlagError as error:  # of a command below: the reference shows no help page then
            app.output.say(f"Incorrect Usage: {error}\n\n")
            raise
    return ExitCode.OK


def with_flags(hint: str) -> str:
    """The library's advice in the command line's words: parameters that it names are flags here."""
    for parameter, name in _FLAGS_OF_PARAMETERS:
        hint = hint.replace(f"({parameter})", f"({name})")
    return hint


def _report(app: App, error: BuildctlError) -> int:
    """Say what failed, as the reference does: excerpts, denials, then the error; a hint on a terminal."""
    say = app.output.say

    if isinstance(error, SolveError):
        if error.excerpts:  # without them nothing is loaded: there may be no descriptor left for that
            from buildctl.client.excerpt import format_excerpt

            for excerpt in error.excerpts:
                say(format_excerpt(excerpt))
        for denial in filter(None, error.denials):
            say(f"policy deny: {denial}\n")
    say(f"error: {error}\n")
    if app.flags.debug:
        from buildctl.cli.arguments import shown_arguments
        from buildctl.cli.stacks import format_stacks

        say(format_stacks(error, shown_arguments(program_arguments())))
    if app.output.stderr_is_terminal and (
        hint := error.hint or (_near(error, "--") if isinstance(error, FlagError) else "")
    ):
        say(f"hint: {with_flags(hint)}\n")
    return error.exit_code


def _near(error: FlagError | UnknownTopicError, prefix: str) -> str:
    """What may have been meant by a name that does not exist."""
    from buildctl.cli.hints import did_you_mean

    return did_you_mean(error.typed, error.known, prefix)
