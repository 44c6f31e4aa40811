"""What a build leaves besides its result: `--trace` and `--debug-json-cache-metrics`."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from buildctl.cli.environment import Environment
from buildctl.cli.output import Output
from buildctl.cli.recordings import Recordings
from buildctl.errors import BuildctlError
from buildctl.model.status import SolveStatus, Vertex

STATUS = SolveStatus((Vertex("sha256:a", "[1/1] RUN a", completed_ns=1_000_000_000),))
LINE = '{"vertexes":[{"digest":"sha256:a","name":"[1/1] RUN a","completed":"1970-01-01T00:00:01Z"}]}\n'


async def test_nothing_is_asked_for() -> None:
    recordings = Recordings(Output(Environment()), trace="", metrics="")
    assert recordings.sinks == ()
    async with recordings:
        pass
    recordings.report()


async def test_a_trace_is_appended(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    for times in (1, 2):
        async with Recordings(Output(Environment()), trace=str(file), metrics="") as recordings:
            (sink,) = recordings.sinks
            sink(STATUS)
        assert file.read_text() == LINE * times
    assert stat.S_IMODE(file.stat().st_mode) & 0o177 == 0


async def test_metrics_replace_a_file(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text("old\n" * 100)
    async with Recordings(Output(Environment()), trace="", metrics=str(file)) as recordings:
        (sink,) = recordings.sinks
        sink(STATUS)
    recordings.report()
    missed, counted = file.read_text().splitlines()
    assert missed == "cache miss: [1/1] RUN a"
    assert json.loads(counted)["user_completed"] == 1


@pytest.mark.parametrize("name", ["stdout", "stderr"])
async def test_metrics_on_a_standard_stream(name: str, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "stream", os.O_RDWR | os.O_CREAT)
    environment = Environment(stdout=descriptor) if name == "stdout" else Environment(stderr=descriptor)
    recordings = Recordings(Output(environment), trace="", metrics=name)
    recordings.report()
    os.close(descriptor)
    assert (tmp_path / "stream").read_text().startswith('{"total":0,')


@pytest.mark.parametrize("option", ["trace", "metrics"])
def test_a_file_that_cannot_be_opened(option: str, tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "file")
    with pytest.raises(BuildctlError) as caught:
        Recordings(
            Output(Environment()),
            trace=path if option == "trace" else "",
            metrics=path if option == "metrics" else "",
        )
    assert str(caught.value) == f"open {path}: no such file or directory"


async def test_a_full_disk_fails_the_build() -> None:
    async def build() -> None:
        async with Recordings(Output(Environment()), trace="/dev/full", metrics="") as recordings:
            recordings.sinks[0](STATUS)

    with pytest.raises(BuildctlError) as caught:
        await build()
    assert str(caught.value) == "write /dev/full: no space left on device"
    with pytest.raises(BuildctlError, match="^write /dev/full: no space left on device$"):
        Recordings(Output(Environment()), trace="", metrics="/dev/full").report()


async def test_a_full_disk_does_not_hide_why_a_build_failed() -> None:
    async def build() -> None:
        async with Recordings(Output(Environment()), trace="/dev/full", metrics="") as recordings:
            recordings.sinks[0](STATUS)
            raise BuildctlError("the build")

    with pytest.raises(BuildctlError, match="^the build$"):
        await build()
