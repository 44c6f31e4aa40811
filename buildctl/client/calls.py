"""The daemon's methods that the client calls: path, messages, and whether the answer is a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from buildctl._pb import content_pb2, control_pb2, gateway_pb2

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """A method with one request."""

    path: str
    request: type[Request]
    response: type[Response]
    streams: bool = False
    """Whether the answer is a stream of responses."""


_CONTROL = "/moby.buildkit.v1.Control/"
_CONTENT = "/containerd.services.content.v1.Content/"
_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"

DISK_USAGE = Method(_CONTROL + "DiskUsage", control_pb2.DiskUsageRequest, control_pb2.DiskUsageResponse)
PRUNE = Method(_CONTROL + "Prune", control_pb2.PruneRequest, control_pb2.UsageRecord, streams=True)
SOLVE = Method(_CONTROL + "Solve", control_pb2.SolveRequest, control_pb2.SolveResponse)
STATUS = Method(_CONTROL + "Status", control_pb2.StatusRequest, control_pb2.StatusResponse, streams=True)
LIST_WORKERS = Method(
    _CONTROL + "ListWorkers", control_pb2.ListWorkersRequest, control_pb2.ListWorkersResponse
)
INFO = Method(_CONTROL + "Info", control_pb2.InfoRequest, control_pb2.InfoResponse)
LISTEN_BUILD_HISTORY = Method(
    _CONTROL + "ListenBuildHistory",
    control_pb2.BuildHistoryRequest,
    control_pb2.BuildHistoryEvent,
    streams=True,
)
UPDATE_BUILD_HISTORY = Method(
    _CONTROL + "UpdateBuildHistory",
    control_pb2.UpdateBuildHistoryRequest,
    control_pb2.UpdateBuildHistoryResponse,
)

CONTENT_INFO = Method(_CONTENT + "Info", content_pb2.InfoRequest, content_pb2.InfoResponse)
CONTENT_READ = Method(
    _CONTENT + "Read", content_pb2.ReadContentRequest, content_pb2.ReadContentResponse, streams=True
)

GATEWAY_PING = Method(_BRIDGE + "Ping", gateway_pb2.PingRequest, gateway_pb2.PongResponse)
GATEWAY_SOLVE = Method(_BRIDGE + "Solve", gateway_pb2.SolveRequest, gateway_pb2.SolveResponse)
GATEWAY_RETURN = Method(_BRIDGE + "Return", gateway_pb2.ReturnRequest, gateway_pb2.ReturnResponse)

SESSION_PATH = _CONTROL + "Session"
"""The byte tunnel: streams of `BytesMessage` both ways."""
