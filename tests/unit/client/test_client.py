"""The client's calls against recorded daemons, and where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildctl import Client, Code, ConnectError, PruneOpt, RPCError, UsageError, parse_address
from buildctl._pb import control_pb2
from tests.support.replay_server import replay_server
from tests.support.scripted_daemon import client_of

RECORDED = Path(__file__).parents[2] / "golden" / "requests.jsonl"


def unreachable() -> list[tuple[str, str]]:
    """Addresses without a daemon, and what the reference says of them."""
    rows = map(json.loads, RECORDED.read_text().splitlines())
    return [
        (row["argv"][1], row["stderr"]) for row in rows if "failed to call diskusage" in (row["stderr"] or "")
    ]


@pytest.mark.parametrize(("address", "stderr"), unreachable())
async def test_no_daemon_is_told_in_the_references_words(address: str, stderr: str) -> None:
    async with Client.connect(parse_address(address, takes_words=True)) as client:
        with pytest.raises(RPCError) as caught:
            await client.disk_usage()
    assert f"error: {caught.value}\n" == stderr
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.hint


async def test_disk_usage(tmp_path: Path) -> None:
    with replay_server("du-filter", tmp_path / "s", speed=0) as server:
        async with client_of(tmp_path / "s") as client:
            records = await client.disk_usage(["type==regular"])
    (call,) = server.received
    assert call.request == control_pb2.DiskUsageRequest(filter=["type==regular"]).SerializeToString()
    assert [record.size_bytes for record in records] == sorted(record.size_bytes for record in records)
    assert records


async def test_prune_yields_what_goes(tmp_path: Path) -> None:
    with replay_server("prune-all", tmp_path / "s", speed=0) as server:
        async with client_of(tmp_path / "s") as client:
            records = [record async for record in client.prune(PruneOpt(all=True))]
    (call,) = server.received
    assert call.request == control_pb2.PruneRequest(all=True).SerializeToString()
    assert [(record.id, record.usage_count) for record in records] == [("lkvyhkg4hqgz2pdz7w771qi0m", 3)]


async def test_workers_and_info(tmp_path: Path) -> None:
    with replay_server("workers", tmp_path / "w", speed=0):
        async with client_of(tmp_path / "w") as client:
            (worker,) = await client.workers()
    with replay_server("info", tmp_path / "i", speed=0):
        async with client_of(tmp_path / "i") as client:
            info = await client.info()
            await client.wait(1)
    assert worker.buildkit_version == info
    assert info.package == "github.com/moby/buildkit"


async def test_an_old_daemon_has_no_info_but_is_there(tmp_path: Path) -> None:
    with replay_server("v0.8-info", tmp_path / "s", speed=0):
        async with client_of(tmp_path / "s") as client:
            with pytest.raises(RPCError) as caught:
                await client.info()
            await client.wait(1)
    assert str(caught.value) == (
        "failed to call info: Unimplemented: unknown method Info for service moby.buildkit.v1.Control"
    )


async def test_the_status_of_a_build(tmp_path: Path) -> None:
    with replay_server("build-cached", tmp_path / "s", speed=0):
        async with client_of(tmp_path / "s") as client:
            statuses = [status async for status in client.status("r")]
    assert any(vertex.cached for status in statuses for vertex in status.vertexes)


async def test_waiting_ends_with_the_last_failure(tmp_path: Path) -> None:
    async with Client.connect(parse_address(f"unix://{tmp_path}/nothing")) as client:
        with pytest.raises(ConnectError, match="context deadline exceeded") as caught:
            await client.wait(0.1)
    assert "no such file or directory" in caught.value.hint


async def test_text_that_no_message_can_carry_is_refused(tmp_path: Path) -> None:
    async with client_of(tmp_path / "s") as client:
        for call in (
            client.disk_usage(["\udcff"]),
            client.workers(["\udcff"]),
            anext(client.status("\udcff")),
        ):
            with pytest.raises(UsageError, match="is not valid UTF-8"):
                await call
