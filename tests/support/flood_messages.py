"""Floods of a build's status and of other answers: serialized messages, a function of the size for each kind.

Messages hold many items where they can, so that it is the client that is measured and not the daemon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from buildctl._pb import control_pb2

_TOGETHER = 100

_Fields = Mapping[str, Any]


def restarts(count: int) -> Iterator[bytes]:
    """One step begins and ends again and again, a message each."""
    for number in range(1, count):
        times = {"started": {"seconds": number}, "completed": {"seconds": number, "nanos": 1}}
        yield _status(vertexes=[{"digest": "a", **times}])


def members(count: int) -> Iterator[bytes]:
    """Steps of one progress group, a message each."""
    group = {"id": "g", "name": "group"}
    for number in range(1, count):
        yield _status(
            vertexes=[{"digest": f"{number}", "started": {"seconds": number}, "progressGroup": group}]
        )


def vertexes(count: int) -> Iterator[bytes]:
    """Steps, which all begin and end."""
    return _together("vertexes", (_ended(number, f"step {number}") for number in range(count)))


def names(count: int) -> Iterator[bytes]:
    """Steps with names of 64 KiB."""
    for number in range(count):
        yield _status(vertexes=[_ended(number, f"{number} " + "n" * (1 << 16))])


def inputs(count: int) -> Iterator[bytes]:
    """Steps with a thousand inputs each, so many inputs in all."""
    for number in range(count // 1000):
        named = [f"sha256:{number:032x}{at:032x}" for at in range(1000)]
        yield _status(vertexes=[{**_ended(number, f"step {number}"), "inputs": named}])


def groups(count: int) -> Iterator[bytes]:
    """Steps that each are a progress group of their own."""
    return _together(
        "vertexes",
        (
            {**_ended(number, f"step {number}"), "progressGroup": {"id": f"g{number}", "name": f"g {number}"}}
            for number in range(count)
        ),
    )


def counters(count: int) -> Iterator[bytes]:
    """Counters of one step."""
    yield _status(vertexes=[{"digest": "a", "name": "step", "started": {"seconds": 1}}])
    yield from _together(
        "statuses",
        (
            {"ID": f"layer {number}", "vertex": "a", "current": 1, "total": 2, "timestamp": {"seconds": 1}}
            for number in range(count)
        ),
    )


def warnings(count: int) -> Iterator[bytes]:
    """Warnings that each come with a source file of 64 KiB of its own."""
    yield _status(vertexes=[{"digest": "a", "name": "step", "started": {"seconds": 1}}])
    for number in range(count):
        source = {"filename": f"{number}", "data": b"%d" % number + b"x\n" * (1 << 15)}
        ranges = [{"start": {"line": 1}, "end": {"line": 1}}]
        yield _status(
            warnings=[{"vertex": "a", "short": b"warning %d" % number, "info": source, "ranges": ranges}]
        )


def logs(count: int) -> Iterator[bytes]:
    """Lines of one step."""
    yield _status(vertexes=[{"digest": "a", "name": "step", "started": {"seconds": 1}}])
    line = {"vertex": "a", "stream": 1, "msg": b"l" * 99 + b"\n"}
    yield from _together("logs", (line for _ in range(count)))


def logs_of_nobody(count: int) -> Iterator[bytes]:
    """A line each of steps that were never announced."""
    return _together(
        "logs", ({"vertex": f"{number}", "stream": 1, "msg": b"l" * 99 + b"\n"} for number in range(count))
    )


def usage(count: int) -> bytes:
    """What is asked for by `du`: so many records in one answer."""
    records = [
        {"ID": f"{number:025}", "Description": f"record {number} " + "d" * 100, "Size": number}
        for number in range(count)
    ]
    return control_pb2.DiskUsageResponse(record=records).SerializeToString()


def pruned(count: int) -> Iterator[bytes]:
    """What `prune` has freed."""
    for number in range(count):
        yield control_pb2.UsageRecord(ID=f"{number:025}", Size=number).SerializeToString()


def history(count: int) -> Iterator[bytes]:
    """Builds that the daemon remembers, a message each."""
    for number in range(count):
        record = {"Ref": f"{number:025}", "Frontend": "dockerfile.v0", "numTotalSteps": 5}
        record["FrontendAttrs"] = {f"build-arg:{at}": "v" * 100 for at in range(5)}
        yield control_pb2.BuildHistoryEvent(type="COMPLETE", record=record).SerializeToString()


def _ended(number: int, name: str) -> dict[str, Any]:
    return {"digest": f"{number}", "name": name, "started": {"seconds": 1}, "completed": {"seconds": 2}}


def _together(kind: str, items: Iterable[_Fields]) -> Iterator[bytes]:
    some: list[_Fields] = []
    for item in items:
        some.append(item)
        if len(some) == _TOGETHER:
            yield _status(**{kind: some})
            some = []
    if some:
        yield _status(**{kind: some})


def _status(**fields: Any) -> bytes:
    return control_pb2.StatusResponse(**fields).SerializeToString()
