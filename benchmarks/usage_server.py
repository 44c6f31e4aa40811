"""A daemon that has a given number of usage records and does nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc

from buildctl._pb import control_pb2, worker_pb2
from tests.support.replay_server import serve

_CREATED_AT = 1_700_000_000


def usage_records(count: int) -> control_pb2.DiskUsageResponse:
    """Records as a daemon has them after many builds: chains of steps, some shared, one in seven in use."""
    response = control_pb2.DiskUsageResponse()
    for number in range(count):
        record = response.record.add(
            ID=f"{number:025x}",
            Mutable=number % 5 == 0,
            InUse=number % 7 == 0,
            Size=(number * 7919) % 50_000_000,
            UsageCount=number % 11,
            Description=f"[stage {number % 40}/40] RUN make -C module-{number} all install",
            RecordType="regular" if number % 5 else "source.local",
            Shared=number % 3 == 0,
            Parents=[f"{number - 1:025x}"] if number % 40 else [],
        )
        record.CreatedAt.seconds = _CREATED_AT + number
        record.LastUsedAt.seconds = _CREATED_AT + 2 * number
    return response


class _UsageDaemon(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """Answers from bytes made beforehand, so that a call costs next to nothing here."""

    def __init__(self, count: int) -> None:
        worker = worker_pb2.WorkerRecord(ID="worker", BuildkitVersion={"version": "v0.13.0"})
        self._answers = {
            "/moby.buildkit.v1.Control/DiskUsage": usage_records(count).SerializeToString(),
            "/moby.buildkit.v1.Control/ListWorkers": control_pb2.ListWorkersResponse(
                record=[worker]
            ).SerializeToString(),
            "/moby.buildkit.v1.Control/Info": control_pb2.InfoResponse().SerializeToString(),
        }

    def service(self, details: Any) -> Any:
        answer = self._answers.get(details.method)
        if answer is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: answer)


@contextlib.contextmanager
def usage_daemon(count: int, socket: Path) -> Iterator[Path]:
    """Serve on the unix socket `socket` until the block ends; yields it."""
    with serve(_UsageDaemon(count), socket):
        yield socket
