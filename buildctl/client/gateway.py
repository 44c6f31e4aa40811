"""The conversation with the daemon's gateway that yields a build's result: Ping, Solve, Return.

The client acts as a frontend that forwards: it has the daemon solve the real frontend or the definition, and
returns what comes of it, which the waiting Control.Solve then exports.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping, Sequence

from buildctl._pb import gateway_pb2, ops_pb2
from buildctl.client.calls import Method, Request, Response
from buildctl.client.capabilities import FIRST_FRONTEND_CAPS, FIRST_LLB_CAPS, Capabilities
from buildctl.client.convert.errors import error_status
from buildctl.client.details import passed_on, solve_error
from buildctl.client.request import gateway_request
from buildctl.client.rpc import Caller
from buildctl.errors import Code, RPCError, SolveError
from buildctl.model import gojson
from buildctl.model.solve import CacheEntry, SolveOpt

_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
_PING = Method(_BRIDGE + "Ping", gateway_pb2.PingRequest, gateway_pb2.PongResponse)
_SOLVE = Method(_BRIDGE + "Solve", gateway_pb2.SolveRequest, gateway_pb2.SolveResponse)
_RETURN = Method(_BRIDGE + "Return", gateway_pb2.ReturnRequest, gateway_pb2.ReturnResponse)

_BUILD_ID = "buildkit-controlapi-buildid"
_PING_SECONDS = 15.0
_PREFIX = "failed to run Build function: "


async def has_gateway(caller: Caller) -> bool:
    """Whether the daemon has a gateway. One that has refuses this Ping, which names no build."""
    try:
        await caller.unary(_PING, gateway_pb2.PingRequest(), seconds=_PING_SECONDS)
    except RPCError as error:
        return error.code is not Code.UNIMPLEMENTED
    return True


async def run_gateway(
    caller: Caller, opt: SolveOpt, ref: str, imports: Sequence[CacheEntry] | None = None
) -> Mapping[str, bytes]:
    """Bring the build `ref` its result; returns the frontend's metadata of it.

    `imports` are the caches that can be imported; None for all that are asked for.
    Raises `SolveError`, of which the daemon has been told.
    """
    request = gateway_request(opt, imports)
    gateway = _Gateway(caller, ref)
    try:
        await gateway.ping()
    except RPCError as error:
        raise solve_error(error) from error
    try:
        return await gateway.run(request)
    except RPCError as error:
        raise solve_error(error, _PREFIX) from error
    except SolveError as error:
        raise SolveError(f"{_PREFIX}{error}") from error


class _Gateway:
    """The gateway of one build."""

    def __init__(self, caller: Caller, ref: str) -> None:
        self._caller = caller
        self._metadata = ((_BUILD_ID, ref),)
        self._caps = Capabilities((), ())
        self._llb_caps = Capabilities((), ())

    async def ping(self) -> None:
        """Wait for the daemon to know of the build, and learn what it can do."""
        pong = await self._call(_PING, gateway_pb2.PingRequest(), seconds=_PING_SECONDS)
        self._caps = Capabilities(pong.FrontendAPICaps, FIRST_FRONTEND_CAPS)
        self._llb_caps = Capabilities(pong.LLBCaps, FIRST_LLB_CAPS)

    async def run(self, request: gateway_pb2.SolveRequest) -> Mapping[str, bytes]:
        """Solve and return what came of it, result or error."""
        returns = "return" in self._caps
        if not returns:
            request.ExporterAttr = b"{}"
        try:
            self._check_definition(request.Definition)
            response = await self._call(_SOLVE, request)
            result = self._result(response)
        except (RPCError, SolveError) as error:
            if returns:
                await self._return_error(error)
            raise
        if returns:
            await self._call(_RETURN, gateway_pb2.ReturnRequest(result=result))
        else:
            await self._finish(request, result)
        return dict(result.metadata)

    async def _return_error(self, error: RPCError | SolveError) -> None:
        """Pass the failure on, as Control.Solve is to end with it; a failure to do so adds nothing to it."""
        message = error.message if isinstance(error, RPCError) else str(error)
        status = error_status(error.code, message, passed_on(error.details))
        with contextlib.suppress(RPCError):
            await self._call(_RETURN, gateway_pb2.ReturnRequest(error=status))

    async def _finish(self, request: gateway_pb2.SolveRequest, result: gateway_pb2.Result) -> None:
        """End a build on a daemon that has no Return: the request once more, as the last."""
        if not (result.ref.id or result.refDeprecated):
            request = gateway_pb2.SolveRequest(Definition=ops_pb2.Definition())
        metadata = {key: base64.b64encode(value).decode() for key, value in sorted(result.metadata.items())}
        request.Final = True
        request.ExporterAttr = gojson.encode(metadata)
        try:
            await self._call(_SOLVE, request)
        except RPCError as error:
            raise solve_error(error, "failed to solve: ") from error

    def _check_definition(self, definition: ops_pb2.Definition) -> None:
        for metadata in definition.metadata.values():
            for cap in metadata.caps:
                self._llb_caps.require(cap)

    def _result(self, response: gateway_pb2.SolveResponse) -> gateway_pb2.Result:
        """The result in the form in which this daemon takes it back.

        Everything is echoed, fields unknown here as well. A reference that is missing is an empty one, and
        daemons without `proto.refarray` know references as bare ids.
        """
        result = gateway_pb2.Result()
        result.CopyFrom(response.result)
        refs = _references(response)
        if isinstance(refs, gateway_pb2.Ref):
            if "proto.refarray" in self._caps:
                result.ref.CopyFrom(refs)
            else:
                result.refDeprecated = refs.id
            refs = {}
        elif "proto.refarray" in self._caps:
            for name, ref in refs.items():
                result.refs.refs[name].CopyFrom(ref)
        else:
            result.refsDeprecated.refs.update({name: ref.id for name, ref in refs.items()})
        if len(refs) > 1:
            self._caps.require("returnmap")
        for attestations in result.attestations.values():
            for attestation in attestations.attestation:
                attestation.ref.SetInParent()
        return result

    async def _call(
        self, method: Method[Request, Response], request: Request, *, seconds: float | None = None
    ) -> Response:
        return await self._caller.unary(method, request, metadata=self._metadata, seconds=seconds)


def _references(response: gateway_pb2.SolveResponse) -> gateway_pb2.Ref | dict[str, gateway_pb2.Ref]:
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
