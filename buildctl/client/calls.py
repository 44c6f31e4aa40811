"""What a method of the daemon is, and those of its Control service."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from buildctl._pb import control_pb2

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Method(NamedTuple, Generic[Request, Response]):
    """A method with one request."""

    path: str
    request: type[Request]
    response: type[Response]
    streams: bool = False
    """Whether the answer is a stream of responses."""
    is_news: bool = False
    """Whether a response tells what happens and nobody depends on it: one that is too large is left out."""

    @property
    def name(self) -> str:
        """The method's own, without those of its service."""
        return self.path.rpartition("/")[2]


_CONTROL = "/moby.buildkit.v1.Control/"

DISK_USAGE = Method(_CONTROL + "DiskUsage", control_pb2.DiskUsageRequest, control_pb2.DiskUsageResponse)
PRUNE = Method(_CONTROL + "Prune", control_pb2.PruneRequest, control_pb2.UsageRecord, streams=True)
SOLVE = Method(_CONTROL + "Solve", control_pb2.SolveRequest, control_pb2.SolveResponse)
STATUS = Method(
    _CONTROL + "Status", control_pb2.StatusRequest, control_pb2.StatusEnvelope, streams=True, is_news=True
)
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

SESSION_PATH = _CONTROL + "Session"
"""The byte tunnel: streams of `BytesMessage` both ways."""
