"""Messages become values, and nothing of a recording is lost on the way."""

from __future__ import annotations

import pytest

from buildctl._pb import control_pb2, ops_pb2, worker_pb2
from buildctl.client.convert import cache, errors, status, workers
from buildctl.model.cache import PruneOpt, UsageRecord
from buildctl.model.platform import Platform
from buildctl.model.status import (
    Position,
    ProgressGroup,
    Range,
    SolveStatus,
    SourceInfo,
    UnreadLogs,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from buildctl.model.workers import BuildkitVersion, CDIDevice, GCPolicy
from tests.support.replay import load

AT = {"seconds": 1795354438, "nanos": 810804027}
AT_NS = 1795354438_810804027


def read(message: control_pb2.StatusResponse) -> SolveStatus:
    """What comes of a message that a daemon sends."""
    return status.solve_status(control_pb2.StatusEnvelope.FromString(message.SerializeToString()))


def test_a_status_message_with_everything() -> None:
    message = control_pb2.StatusResponse(
        vertexes=[
            control_pb2.Vertex(
                digest="d",
                inputs=["a", "b"],
                name="n",
                cached=True,
                started=AT,
                completed=AT,
                error="e",
                progressGroup=ops_pb2.ProgressGroup(id="g", name="group", weak=True),
            ),
            control_pb2.Vertex(digest="bare"),
        ],
        statuses=[
            control_pb2.VertexStatus(
                ID="i", vertex="d", name="n", current=1, total=2, timestamp=AT, started=AT, completed=AT
            ),
            control_pb2.VertexStatus(ID="bare", vertex="d"),
        ],
        logs=[control_pb2.VertexLog(vertex="d", timestamp=AT, stream=2, msg=b"\xff\n")],
        warnings=[
            control_pb2.VertexWarning(
                vertex="d",
                level=1,
                short=b"s",
                detail=[b"x", b"y"],
                url="u",
                info=ops_pb2.SourceInfo(filename="f", data=b"data", language="Dockerfile"),
                ranges=[
                    ops_pb2.Range(
                        start=ops_pb2.Position(line=1, character=2), end=ops_pb2.Position(line=3, character=4)
                    )
                ],
            ),
            control_pb2.VertexWarning(vertex="d", short=b"bare"),
        ],
    )
    found = read(message)
    group = ProgressGroup("g", "group", weak=True)
    assert found.vertexes == (
        Vertex("d", "n", ("a", "b"), True, AT_NS, AT_NS, "e", group),
        Vertex("bare"),
    )
    assert found.statuses == (
        VertexStatus("i", "d", "n", 1, 2, AT_NS, AT_NS, AT_NS),
        VertexStatus("bare", "d"),
    )
    assert found.logs == (VertexLog("d", b"\xff\n", 2, AT_NS),)
    assert found.warnings == (
        VertexWarning(
            "d",
            b"s",
            1,
            (b"x", b"y"),
            "u",
            SourceInfo("f", b"data", "Dockerfile"),
            (Range(Position(1, 2), Position(3, 4)),),
        ),
        VertexWarning("d", b"bare"),
    )


def test_a_zero_timestamp_is_no_instant() -> None:
    message = control_pb2.StatusResponse(vertexes=[control_pb2.Vertex(completed={"seconds": 0})])
    assert read(message).vertexes[0].completed_ns is None


def test_reading_a_message_does_not_change_it() -> None:
    message = control_pb2.StatusEnvelope(vertexes=[control_pb2.Vertex(digest="d")])
    before = message.SerializeToString()
    status.solve_status(message)
    assert message.SerializeToString() == before


SHA = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "f" * 64


def test_logs_are_read_when_they_are_looked_at() -> None:
    logs = [
        VertexLog(vertex, b"%d\n" % n, 1 + n % 2, AT_NS + n) for n in range(6) for vertex in (SHA, OTHER, "d")
    ]
    messages = [
        control_pb2.VertexLog(
            vertex=log.vertex,
            msg=log.data,
            stream=log.stream,
            timestamp={"seconds": log.timestamp_ns // 10**9, "nanos": log.timestamp_ns % 10**9},
        )
        for log in logs
    ]
    unread = read(control_pb2.StatusResponse(logs=messages)).logs
    assert isinstance(unread, UnreadLogs)
    assert unread == tuple(logs)
    assert unread[1:3] == logs[1:3]
    assert unread[-1] == logs[-1]
    assert unread.moved(5).moved(1)[0] == logs[0]._replace(timestamp_ns=AT_NS - 6)
    groups = unread.moved(5).by_vertex()
    assert list(groups) == [SHA, OTHER, "d"]
    for vertex, group in groups.items():
        assert group == [
            log._replace(timestamp_ns=log.timestamp_ns - 5) for log in logs if log.vertex == vertex
        ]
    size = sum(len(log.data) for log in logs if log.vertex == SHA)
    assert abs(groups[SHA].size_bytes - size) <= 8 * len(groups[SHA])


def test_logs_that_are_no_messages_or_say_it_in_another_order() -> None:
    swapped = b"\x22\x02x\n" + b"\x0a\x47" + SHA.encode()
    nobody = b"\x22\x02y\n"
    serialized = [swapped, b"\xff", b"", nobody, b"\x0a\x47" + b"\xff" * 71]
    logs = status.solve_status(control_pb2.StatusEnvelope(logs=serialized)).logs
    assert isinstance(logs, UnreadLogs)
    assert [log.data for log in logs] == [b"x\n", b"", b"", b"y\n", b""]
    groups = logs.by_vertex()
    assert [(vertex, len(group)) for vertex, group in groups.items()] == [(SHA, 1), ("", 4)]
    assert groups[SHA][0].data == b"x\n"


def test_usage_of_an_early_daemon() -> None:
    (call,) = load("v0.8-du-verbose").calls
    response = control_pb2.DiskUsageResponse.FromString(call.responses[0][1])
    records = cache.usage_records(response.record)
    assert [record.size_bytes for record in records] == sorted(record.Size for record in response.record)
    assert any(record.Parent for record in response.record)
    assert all(record.parents == () for record in records)  # as the reference shows them


def test_usage_records_are_in_order_of_size_and_id() -> None:
    messages = [control_pb2.UsageRecord(ID=name, Size=size) for name, size in (("b", 1), ("a", 1), ("c", 0))]
    assert cache.usage_records(messages) == [
        UsageRecord("c"),
        UsageRecord("a", size_bytes=1),
        UsageRecord("b", size_bytes=1),
    ]


def test_prune_request_has_every_limit() -> None:
    opt = PruneOpt(("a", "b"), True, 1, 2, 3, 4)
    assert cache.prune_request(opt) == control_pb2.PruneRequest(
        filter=["a", "b"], all=True, keepDuration=1, reservedSpace=2, maxUsedSpace=3, minFreeSpace=4
    )


def test_workers_old_and_new() -> None:
    old = workers.worker_record(worker_pb2.WorkerRecord(ID="moby"))
    assert (old.id, old.buildkit_version, old.gc_policies) == ("moby", None, ())
    new = workers.worker_record(
        worker_pb2.WorkerRecord(
            ID="w",
            Labels={"k": "v"},
            platforms=[ops_pb2.Platform(Architecture="arm64", OS="linux", Variant="v8", OSFeatures=["f"])],
            GCPolicy=[{"all": True, "keepDuration": 1, "filters": ["f"], "reservedSpace": 2}],
            BuildkitVersion=worker_pb2.BuildkitVersion(
                package="p", version="v", revision="r", dockerfileVersion="d"
            ),
            CDIDevices=[
                worker_pb2.CDIDevice(Name="n", AutoAllow=True, Annotations={"a": "b"}, OnDemand=True)
            ],
        )
    )
    assert new.labels == {"k": "v"}
    assert new.platforms == (Platform("linux", "arm64", "v8", "", ("f",)),)
    assert new.gc_policies == (GCPolicy(True, ("f",), 1, 2),)
    assert new.buildkit_version == BuildkitVersion("p", "v", "r", "d")
    assert new.cdi_devices == (CDIDevice("n", True, {"a": "b"}, True),)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b"[1]", {}),
        (b"{", {}),
        (b"\xff", {}),
        (b"[" * 100_000, {}),
    ],
)
def test_details_of_any_shape_are_kept(raw: bytes, value: dict[str, int]) -> None:
    status = errors.error_status(2, "m", ())
    status.details.add(type_url="github.com/moby/buildkit/errdefs.Vertex+json", value=raw)
    (detail,) = errors.error_details(status.SerializeToString())
    assert (detail.type_name, detail.value, detail.raw) == ("errdefs.Vertex", value, raw)
    assert errors.error_status(2, "m", [detail]) == status


def test_a_status_that_cannot_be_read_has_no_details() -> None:
    assert errors.error_details(b"\xff") == ()
