"""`buildctl build PATH -t NAME`: what fingers know from docker, as what `Client.build` takes.

It goes the way of `Client.build` to a `SolveOpt`, see `client.dockeroptions`; `--dry-run` writes the same
build in the reference's flags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildctl.cli.app import App
    from buildctl.cli.build_flags import BuildFlags
    from buildctl.model.context import Context
    from buildctl.model.solve import SolveOpt
    from buildctl.session.stream import Attachable

_FRONTEND = "dockerfile.v0"
_DOCKERFILE_LIMIT = 16 << 20
"""Bytes of a Dockerfile on standard input."""
_SHORT = (
    "tags",
    "file",
    "target",
    "build_args",
    "labels",
    "annotations",
    "platforms",
    "push",
    "load",
    "pull",
    "build_contexts",
    "no_cache_filter",
    "iidfile",
)


class ShortForm(NamedTuple):
    """A build with what short flags add to it."""

    opt: SolveOpt
    attachables: tuple[Attachable, ...] = ()
    """What is offered besides folders: an archive on standard input, an Engine's store."""


def is_short(flags: BuildFlags, args: Sequence[str]) -> bool:
    """Whether there is a path, or a flag of the short form. With --frontend no path is looked at."""
    return bool(args and not flags.frontend) or any(getattr(flags, name) for name in _SHORT)


def add_short_form(app: App, opt: SolveOpt, flags: BuildFlags, args: Sequence[str]) -> ShortForm:
    """`opt`, which the long flags say, with what the short ones say. Raises `UsageError`.

    Where both say something, the long flag holds. Reads standard input where `-` stands for it.
    """
    from buildctl.client.dockeroptions import DockerBuild, prepare
    from buildctl.transport.discovery import choose_address

    place = _place(flags, args)
    on_stdin = [name for name, value in (("the context", place), ("-f", flags.file)) if value == "-"]
    if len(on_stdin) > 1:
        raise UsageError("the context and the Dockerfile cannot both come from standard input")
    on_engine = choose_address(app.flags.addr, app.environment.variables).address.scheme == "docker"
    stream = None
    if flags.load and not on_engine:
        from buildctl.client.engineload import load_destination
        from buildctl.model.address import parse_address

        stream = load_destination(parse_address("docker://"), app.environment.variables)
    build = DockerBuild(
        context=read_context(app, place),
        dockerfile=read_dockerfile(app, flags.file),
        target=flags.target,
        tags=flags.tags,
        push=flags.push,
        load=flags.load,
        output=opt.exports,
        build_args=read_arguments(flags.build_args, app.environment.variables),
        labels=_pairs("--label", flags.labels),
        annotations=_pairs("--annotation", flags.annotations),
        platforms=[name for text in flags.platforms for name in text.split(",")],
        contexts=_pairs("--build-context", flags.build_contexts),
        no_cache=[name for text in flags.no_cache_filter for name in text.split(",")],
        pull=flags.pull,
        frontend=flags.frontend or _FRONTEND,
    )
    prepared = prepare(build, on_engine=on_engine, load_stream=stream)
    if flags.iidfile and not any(
        one.type in ("image", "oci", "docker", "moby") for one in prepared.opt.exports
    ):
        raise UsageError("--iidfile needs an image", hint="add -t NAME, or --output type=image,name=NAME")
    return ShortForm(
        replace(
            opt,
            frontend=prepared.opt.frontend,
            frontend_attrs={**prepared.opt.frontend_attrs, **opt.frontend_attrs},
            local_dirs={**prepared.opt.local_dirs, **opt.local_dirs},
            oci_layouts={**prepared.opt.oci_layouts, **opt.oci_layouts},
            exports=prepared.opt.exports,
        ),
        (prepared.uploads,) if prepared.uploads else (),
    )


def _place(flags: BuildFlags, args: Sequence[str]) -> str | None:
    """The path that is built; None with --frontend, whose folders --local names. Raises `UsageError`."""
    if flags.frontend:
        return None
    if len(args) > 1:
        raise UsageError(
            f"one folder can be built at a time, not {quote(args[0])} and {quote(args[1])}",
            hint="flags that take a value need one: -t NAME, -f FILE",
        )
    if not args:
        raise UsageError(
            "the folder to build is missing",
            hint="name it, as in: buildctl build -t NAME . (or say --frontend and --local)",
        )
    return args[0]


def read_context(app: App, place: str | None) -> Context | str | None:
    """What a place means: a path or URL as it is, `-` an archive on standard input. Raises `UsageError`."""
    from buildctl.model.context import Context

    if place != "-":
        return place
    if app.environment.is_terminal(app.environment.stdin):
        raise UsageError("an archive is read from standard input", hint="tar c . | buildctl build -")
    return Context.tar(f"/dev/fd/{app.environment.stdin}")


def read_dockerfile(app: App, file: str) -> str | None:
    """A Dockerfile's path, or the text that standard input has. Raises `UsageError`."""
    if file != "-":
        return file or None
    if app.environment.is_terminal(app.environment.stdin):
        raise UsageError(
            "a Dockerfile is read from standard input", hint="buildctl build -f - . < Dockerfile"
        )
    try:
        data = read_descriptor(app.environment.stdin, "standard input", limit=_DOCKERFILE_LIMIT)
    except OSError as error:
        raise UsageError(f"the Dockerfile on standard input: {errno_text(error)}") from None
    if not data.strip():
        raise UsageError("the Dockerfile on standard input is empty")
    try:
        return data.decode("utf-8-sig") + "\n"  # the line that tells it from a path
    except UnicodeDecodeError:
        raise UsageError("the Dockerfile on standard input is not UTF-8") from None


def _pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"invalid {flag} {quote(text)}", hint=f"write {flag} NAME=VALUE")
        pairs[name] = value
    return pairs


def read_arguments(texts: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """Build arguments; one without a value has that of the variable, if there is one, as with docker."""
    arguments = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise UsageError(f"invalid --build-arg {quote(text)}", hint="write --build-arg NAME=VALUE")
        if equals:
            arguments[name] = value
        elif name in variables:
            arguments[name] = variables[name]
    return arguments
