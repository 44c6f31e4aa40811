"""The calls of one build to the daemon's gateway: each names the build, and none outlives it."""

from __future__ import annotations

from collections.abc import Sequence

from buildctl._pb import gateway_pb2
from buildctl.client.calls import Method, Request, Response
from buildctl.client.capabilities import FIRST_FRONTEND_CAPS, FIRST_LLB_CAPS, Capabilities
from buildctl.client.convert.errors import error_status
from buildctl.client.details import passed_on
from buildctl.client.rpc import Caller
from buildctl.errors import Code, ErrorDetail, RPCError

_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
PING = Method(_BRIDGE + "Ping", gateway_pb2.PingRequest, gateway_pb2.PongResponse)
SOLVE = Method(_BRIDGE + "Solve", gateway_pb2.SolveRequest, gateway_pb2.SolveResponse)
RETURN = Method(_BRIDGE + "Return", gateway_pb2.ReturnRequest, gateway_pb2.ReturnResponse)

_BUILD_ID = "buildkit-controlapi-buildid"
_PING_SECONDS = 15.0


async def has_gateway(caller: Caller) -> bool:
    """Whether the daemon has a gateway. One that has refuses this Ping, which names no build."""
    try:
        await caller.unary(PING, gateway_pb2.PingRequest(), seconds=_PING_SECONDS)
    except RPCError as error:
        return error.code is not Code.UNIMPLEMENTED
    return True


class Gateway:
    """The gateway of the build `ref`, whose session is `session_id`."""

    def __init__(self, caller: Caller, ref: str, session_id: str = "") -> None:
        self.ref = ref
        self.session_id = session_id
        self.caps = Capabilities((), ())
        """What the gateway can do; known after `ping`."""
        self.llb_caps = Capabilities((), ())
        """What definitions may ask for; known after `ping`."""
        self._caller = caller
        self._metadata = ((_BUILD_ID, ref),)

    async def ping(self) -> gateway_pb2.PongResponse:
        """Wait for the daemon to know of the build, and learn what it can do."""
        pong = await self.call(PING, gateway_pb2.PingRequest(), seconds=_PING_SECONDS)
        self.caps = Capabilities(pong.FrontendAPICaps, FIRST_FRONTEND_CAPS)
        self.llb_caps = Capabilities(pong.LLBCaps, FIRST_LLB_CAPS)
        return pong

    async def return_error(self, code: Code, message: str, details: Sequence[ErrorDetail] = ()) -> None:
        """Pass a failure on, as Control.Solve is to end with it. Raises `RPCError`."""
        status = error_status(code, message, passed_on(details))
        await self.call(RETURN, gateway_pb2.ReturnRequest(error=status))

    async def call(
        self, method: Method[Request, Response], request: Request, *, seconds: float | None = None
    ) -> Response:
        """Make a call within the build. Raises `RPCError`."""
        return await self._caller.unary(method, request, metadata=self._metadata, seconds=seconds)
