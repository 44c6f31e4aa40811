"""Asks a Dockerfile's frontend about the file instead of building it: `check`, `outline`, `targets`.

The frontend answers with `result.json` and, for people, `result.txt`. Source: BuildKit's
frontend/subrequests (lint, outline, targets).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from buildctl.cli.app import App
from buildctl.cli.grammar import flag
from buildctl.errors import BuildctlError, SolveError, UsageError
from buildctl.model.quote import quote

if TYPE_CHECKING:
    from buildctl.client.client import Client

_DESCRIBE = "frontend.subrequests.describe"
_CAPABILITY = "moby.buildkit.frontend.subrequests"
"""A frontend that does not know it refuses; without asking for it, an old one would build."""


class Question(NamedTuple):
    """What a frontend is asked."""

    id: str
    since: str
    """The BuildKit whose own frontend answers it first."""


class Answer(NamedTuple):
    """What it says."""

    text: str
    fields: Mapping[str, Any]


def question_flags(function: Callable[..., None]) -> Callable[..., None]:
    """The flags that say which file is meant, and with which arguments."""
    for one in (
        flag("--target", metavar="STAGE", help="The stage that is looked at."),
        flag("--build-arg", "build_args", multiple=True, metavar="NAME[=VALUE]", help="Build argument."),
        flag(
            "--file",
            "-f",
            metavar="FILE",
            help="The Dockerfile; - is standard input. Default: PATH/Dockerfile.",
        ),
    ):
        function = one(function)
    return function


def ask(
    app: App, question: Question, args: tuple[str, ...], file: str, target: str, build_args: tuple[str, ...]
) -> Answer:
    """The frontend's answer for the folder of the arguments, `.` without them. Raises `BuildctlError`."""
    from buildctl.cli.shortform import read_arguments, read_context, read_dockerfile
    from buildctl.client.dockeroptions import DockerBuild, prepare

    if len(args) > 1:
        raise UsageError("one folder is enough", hint="flags that take a value need one: -f FILE")
    prepared = prepare(
        DockerBuild(
            context=read_context(app, args[0] if args else "."),
            dockerfile=read_dockerfile(app, file),
            target=target,
            build_args=read_arguments(build_args, app.environment.variables),
        ),
        on_engine=False,
    )
    attachables = (prepared.uploads,) if prepared.uploads else ()

    async def put(client: Client, request: str) -> Mapping[str, bytes]:
        attrs = {**prepared.opt.frontend_attrs, "requestid": request, "frontend.caps": _CAPABILITY}
        opt = replace(prepared.opt, frontend_attrs=attrs)
        return (await client.solve(opt, attachables=attachables)).frontend_metadata

    async def run() -> Mapping[str, bytes]:
        async with app.connect() as client:
            try:
                return await put(client, question.id)
            except SolveError as error:
                if not error.excerpts and question.id not in await known(client):
                    raise BuildctlError(
                        f"the daemon's Dockerfile frontend does not answer {question.id}",
                        hint=f"that of BuildKit {question.since} and later does; "
                        "# syntax=docker/dockerfile:1 names a newer one",
                    ) from error
                raise

    async def known(client: Client) -> set[str]:
        """The questions that the frontend answers, by its own word; that asked for, if it does not say."""
        try:
            described = (await put(client, _DESCRIBE)).get("result.json", b"[]")
            return {str(one["name"]) for one in json.loads(described)}
        except (SolveError, ValueError, RecursionError, TypeError, KeyError):
            return {question.id}

    metadata = app.run(run)
    return Answer(metadata.get("result.txt", b"").decode(errors="replace"), _fields(metadata))


def _fields(metadata: Mapping[str, bytes]) -> Mapping[str, Any]:
    data = metadata.get("result.json")
    if data is None:
        raise BuildctlError("the daemon's frontend has built instead of answering", hint="it is too old")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise BuildctlError("the daemon's frontend answered what cannot be read as JSON") from None
    if not isinstance(fields, dict):
        raise BuildctlError("the daemon's frontend answered something other than a JSON object")
    return fields


def show(app: App, answer: Answer, style: str) -> None:
    """Write the answer as `text` or `json`."""
    from buildctl.model import gojson

    if style == "json":
        app.output.write(gojson.encode(answer.fields, indent=1, escape_html=False) + b"\n")
    else:
        app.output.write(answer.text)


def check_style(style: str, known: Sequence[str]) -> None:
    """Raises `UsageError` for a --format that does not exist."""
    if style not in known:
        raise UsageError(f"invalid format {quote(style)}", hint=f"use {', '.join(known)}")
