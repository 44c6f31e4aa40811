"""Runs one build in `docker build`'s words: serves what it offers, opens where it goes, tells what came."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from buildctl.client.dockeroptions import DockerBuild, prepare
from buildctl.errors import UnsupportedError
from buildctl.model.address import Address, parse_address
from buildctl.model.result import BuildResult
from buildctl.model.solve import SolveOpt, SolveResult
from buildctl.model.status import SolveStatus, VertexWarning
from buildctl.session.stream import Attachable

StatusSink = Callable[[SolveStatus], None]


class Solve(Protocol):
    """`Client.solve`, as far as it is used."""

    async def __call__(
        self, opt: SolveOpt, on_status: StatusSink | None = None, *, attachables: Sequence[Attachable] = ()
    ) -> SolveResult: ...


async def run_docker_build(
    build: DockerBuild,
    solve: Solve,
    *,
    address: Address | None,
    environ: Mapping[str, str],
    auth: Attachable | None = None,
    on_status: StatusSink | None = None,
) -> BuildResult:
    """Build with `solve`, which reaches the daemon at `address`. Raises `UsageError` and `SolveError`."""
    began = time.monotonic()
    on_engine = address is not None and address.scheme == "docker"
    stream = None
    if build.load and not (on_engine and build.load is True):
        from buildctl.client.engineload import engine_named, load_destination

        engine = parse_address("docker://") if build.load is True else engine_named(build.load)
        stream = load_destination(engine, environ)
    if build.push and on_engine and address is not None:
        from buildctl.client.engineload import can_push

        if not await can_push(address, environ):  # it would take the wish and say nothing
            raise UnsupportedError(
                "exporter.image.push",
                what="pushing from a Docker Engine without containerd's image store",
                hint="turn that store on in the Engine's settings, or push with docker push",
            )
    prepared = await asyncio.to_thread(prepare, build, on_engine=on_engine, load_stream=stream)
    warnings: list[VertexWarning] = []

    def note(status: SolveStatus) -> None:
        warnings.extend(status.warnings)
        if on_status:
            on_status(status)

    async with contextlib.AsyncExitStack() as stack:
        services: list[Attachable] = [auth] if auth else []
        if prepared.uploads:
            stack.callback(prepared.uploads.close)
            services.append(prepared.uploads)
        if prepared.secrets:
            from buildctl.session.secrets import Secrets

            # A display that hides secrets has to know them before the daemon does.
            hide: Callable[[bytes], None] | None = getattr(on_status, "hide", None)
            services.append(Secrets(prepared.secrets, environ, on_secret=hide))
        if prepared.agents:
            from buildctl.session.sshagent import find_agents, serve_agents

            agents = await asyncio.to_thread(find_agents, prepared.agents, environ)
            services.append(await stack.enter_async_context(serve_agents(agents, environ)))
        result = await solve(prepared.opt, note, attachables=services)
    return BuildResult(
        ref=result.ref,
        exporter_response=result.exporter_response,
        frontend_metadata=result.frontend_metadata,
        warnings=tuple(warnings),
        transfers=result.transfers,
        duration=time.monotonic() - began,
    )
