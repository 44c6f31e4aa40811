"""The build of a frontend or a definition as it is: Solve, and Return of what comes of it.

The client acts as a frontend that forwards: it has the daemon solve the real frontend or the definition, and
returns what comes of it, which the waiting Control.Solve then exports.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from buildctl._pb import gateway_pb2, ops_pb2
from buildctl.client.details import solve_error
from buildctl.client.gateway.gateway import RETURN, SOLVE, Gateway
from buildctl.client.request import gateway_request
from buildctl.errors import RPCError, SolveError
from buildctl.model import gojson
from buildctl.model.solve import CacheEntry, SolveOpt

Solving: TypeAlias = Callable[[], Awaitable[gateway_pb2.SolveResponse]]
Inspect: TypeAlias = Callable[[Gateway, Solving], Awaitable[gateway_pb2.SolveResponse]]

_PREFIX = "failed to run Build function: "


async def forward(
    gateway: Gateway, opt: SolveOpt, imports: Sequence[CacheEntry], inspect: Inspect | None = None
) -> Mapping[str, bytes]:
    """Bring a build its result; returns the frontend's metadata of it.

    `imports` are the caches that can be imported; `inspect` makes the call of Solve. Raises `SolveError`, of
    which the daemon has been told.
    """
    request = gateway_request(opt, imports)
    try:
        return await _run(gateway, request, inspect)
    except RPCError as error:
        raise solve_error(error, _PREFIX) from error
    except SolveError as error:
        raise SolveError(f"{_PREFIX}{error}") from error


async def _run(
    gateway: Gateway, request: gateway_pb2.SolveRequest, inspect: Inspect | None
) -> Mapping[str, bytes]:
    """Solve and return what came of it, result or error."""
    returns = "return" in gateway.caps
    if not returns:
        request.ExporterAttr = b"{}"
    try:
        check_definition(gateway, request.Definition)
        solving = partial(gateway.call, SOLVE, request)
        response = await (inspect(gateway, solving) if inspect else solving())
        result = _result(gateway, response)
    except (RPCError, SolveError) as error:
        if returns:
            message = error.message if isinstance(error, RPCError) else str(error)
            with contextlib.suppress(RPCError):  # which would add nothing
                await gateway.return_error(error.code, message, error.details)
        raise
    if returns:
        await gateway.call(RETURN, gateway_pb2.ReturnRequest(result=result))
    else:
        await _finish(gateway, request, result)
    return dict(result.metadata)


async def _finish(gateway: Gateway, request: gateway_pb2.SolveRequest, result: gateway_pb2.Result) -> None:
    """End a build on a daemon that has no Return: the request once more, as the last."""
    if not (result.ref.id or result.refDeprecated):
        request = gateway_pb2.SolveRequest(Definition=ops_pb2.Definition())
    metadata = {key: base64.b64encode(value).decode() for key, value in sorted(result.metadata.items())}
    request.Final = True
    request.ExporterAttr = gojson.encode(metadata)
    try:
        await gateway.call(SOLVE, request)
    except RPCError as error:
        raise solve_error(error, "failed to solve: ") from error


def check_definition(gateway: Gateway, definition: ops_pb2.Definition) -> None:
    """Require what the definition asks for of the daemon. Raises `SolveError`."""
    for metadata in definition.metadata.values():
        for cap in metadata.caps:
            gateway.llb_caps.require(cap)


def _result(gateway: Gateway, response: gateway_pb2.SolveResponse) -> gateway_pb2.Result:
    """The result in the form in which this daemon takes it back.

    Everything is echoed, fields unknown here as well. A reference that is missing is an empty one, and
    daemons without `proto.refarray` know references as bare ids.
    """
    result = gateway_pb2.Result()
    result.CopyFrom(response.result)
    refs = references(response)
    if isinstance(refs, gateway_pb2.Ref):
        if "proto.refarray" in gateway.caps:
            result.ref.CopyFrom(refs)
        else:
            result.refDeprecated = refs.id
        refs = {}
    elif "proto.refarray" in gateway.caps:
        for name, ref in refs.items():
            result.refs.refs[name].CopyFrom(ref)
    else:
        result.refsDeprecated.refs.update({name: ref.id for name, ref in refs.items()})
    if len(refs) > 1:
        gateway.caps.require("returnmap")
    for attestations in result.attestations.values():
        for attestation in attestations.attestation:
            attestation.ref.SetInParent()
    return result


def references(response: gateway_pb2.SolveResponse) -> gateway_pb2.Ref | dict[str, gateway_pb2.Ref]:
    """The one reference of a result, or several by name, whatever the form in which they came."""
    result = response.result
    match result.WhichOneof("result"):
        case "ref":
            return result.ref if result.ref.id else gateway_pb2.Ref()
        case "refs":
            return {name: ref if ref.id else gateway_pb2.Ref() for name, ref in result.refs.refs.items()}
        case "refDeprecated":
            return gateway_pb2.Ref(id=result.refDeprecated)
        case "refsDeprecated":
            return {name: gateway_pb2.Ref(id=ref) for name, ref in result.refsDeprecated.refs.items()}
    return gateway_pb2.Ref(id="" if response.HasField("result") else response.ref)
