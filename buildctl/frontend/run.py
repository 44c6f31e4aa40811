"""Runs a function as a frontend: what the daemon has put into the environment becomes an open build."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

import grpc.aio

from buildctl._pb import gateway_pb2
from buildctl.client.gateway.build import Build, Outcome, return_failure
from buildctl.client.gateway.gateway import RETURN, Gateway
from buildctl.client.rpc import Caller
from buildctl.errors import BuildctlError, ResultError, RPCError
from buildctl.frontend.stdio import StandardStreams
from buildctl.transport.relay import open_relay

_OPTION = "BUILDKIT_FRONTEND_OPT_"
_SESSION = "BUILDKIT_SESSION_ID"
_PRODUCT = "BUILDKIT_EXPORTEDPRODUCT"
_MESSAGE_BYTES = 64 << 20
_OPTIONS = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
]


def run_frontend(function: Callable[[Build], Awaitable[Outcome]]) -> None:
    """Be a frontend: have `function` decide what is built, and return when the daemon has been told.

    The daemon runs the program with its standard streams connected to itself; the build's options are
    `build.opts`. What the function returns, a `Result`, a `Reference`, a state, a definition or None, is the
    result; what it raises is the build's failure. Prints go to standard error, which the daemon logs.
    Raises `BuildctlError` where the program is not run by a daemon, or the daemon takes no result.
    """
    if os.isatty(0) or _SESSION not in os.environ:
        raise BuildctlError(
            "a frontend is run by a daemon, which speaks with it on standard input and output",
            hint="its image is used with the frontend gateway.v0; Client.run_build runs a function here",
        )
    asyncio.run(_run(function, StandardStreams(), dict(os.environ)))


async def _run(
    function: Callable[[Build], Awaitable[Outcome]], streams: StandardStreams, environ: Mapping[str, str]
) -> None:
    async with (
        open_relay(streams.dial, environ) as relay,
        grpc.aio.insecure_channel(f"unix:{relay.path}", options=_OPTIONS) as channel,
    ):
        caller, session_id = Caller(channel), environ.get(_SESSION, "")
        gateway = Gateway(caller, "", session_id=session_id, opts=frontend_opts(environ))
        try:
            await gateway.ping()
            await _answer(function, Build(gateway, environ.get(_PRODUCT, "")), gateway)
        finally:
            await gateway.aclose()


async def _answer(function: Callable[[Build], Awaitable[Outcome]], build: Build, gateway: Gateway) -> None:
    """Return what the function comes to, result or failure."""
    try:
        build.set_result(await function(build))
        result = await build.conclude()
    except Exception as error:
        await return_failure(gateway, error)
        return
    try:
        await gateway.call(RETURN, gateway_pb2.ReturnRequest(result=result))
    except RPCError as error:
        raise ResultError(f"the daemon does not take the result: {error}") from error


def frontend_opts(environ: Mapping[str, str]) -> dict[str, str]:
    """The options that the daemon has numbered, `KEY=VALUE` each."""
    entries = [value for name, value in environ.items() if name.startswith(_OPTION)]
    return {key: value for key, _, value in (entry.partition("=") for entry in entries)}
