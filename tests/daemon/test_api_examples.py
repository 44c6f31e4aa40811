"""The example programs of the API, run as they are printed, on both engines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import buildctl
from buildctl import Output
from tests.support import packages, python_image
from tests.support.closed_network import engine_with_registry
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.program import ROOT

pytestmark = pytest.mark.daemon

_SECONDS = 50


@pytest.fixture(
    scope="module", params=[packages.ENGINE_20, packages.ENGINE_26], ids=lambda release: release.name
)
def networked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Each engine in turn, with a network for its steps and a registry that has busybox."""
    try:
        with engine_with_registry(request.param, tmp_path_factory.mktemp("registry")) as engine:
            yield engine
    except UnavailableError as missing:
        pytest.skip(str(missing))


@dataclass(frozen=True)
class Place:
    """A folder as a reader of the examples has it, and a daemon."""

    folder: Path
    engine: Engine

    def run(self, name: str) -> str:
        """What an example prints; it has to end well."""
        ran = self._run(name)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def fail(self, name: str) -> str:
        """What an example prints that cannot end well on this engine."""
        ran = self._run(name)
        assert ran.returncode == 1
        return ran.stderr

    def _run(self, name: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "BUILDKIT_HOST": f"docker://{self.engine.socket}",
        }
        return subprocess.run(
            [sys.executable, ROOT / "examples" / "api" / f"{name}.py"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


@pytest.fixture
def place(networked: Engine, tmp_path: Path) -> Place:
    hello = tmp_path / "examples" / "hello"
    shutil.copytree(ROOT / "examples" / "hello", hello, ignore=shutil.ignore_patterns("out", "busybox"))
    shutil.copy(networked.busybox, hello / "busybox")
    return Place(tmp_path, networked)


def test_01_a_folder(place: Place) -> None:
    assert place.run("01").startswith("sha256:")
    assert b"localhost:5000/hello:1" in place.engine.get("/images/json")


def test_02_with_a_display(place: Place) -> None:
    place.run("02")
    assert (place.folder / "out" / "primes.txt").read_text().startswith("2\n3\n5\n")


def test_03_nothing_on_disk(place: Place) -> None:
    assert int(place.run("03")) >= 1024
    assert sorted(os.listdir(place.folder)) == [".local", "examples"]  # and this client's state


def test_04_a_dockerfile_as_text(place: Place) -> None:
    place.run("04")


def test_11_many_at_once(place: Place) -> None:
    said = place.run("11")
    assert all(f"RUN echo {number}" in said for number in range(4))


def test_05_why_it_failed(place: Place) -> None:
    said = place.run("05")
    # BuildKit before 0.9 says the code in its text alone, which is not for programs to read.
    code = None if place.engine.release is packages.ENGINE_20 else 3
    assert said.startswith(f"{code} no luck\n")
    assert "RUN echo no luck" in said


def test_06_a_graph(place: Place) -> None:
    digest = place.run("06").strip()
    assert digest.startswith("sha256:")
    assert (place.folder / "out" / "greeting").read_text() == "hi\n"


def test_07_steps_side_by_side(place: Place) -> None:
    assert place.run("07") == ""


def test_08_a_result_before_deciding(place: Place) -> None:
    place.run("08")


def test_09_a_container(place: Place) -> None:
    place.run("09")


def test_10_a_failed_step(place: Place) -> None:
    if place.engine.release is packages.ENGINE_20:  # which keeps nothing of a failed step
        assert "UnsupportedError: the daemon does not keep what a failed step leaves" in place.fail("10")
    else:
        assert place.run("10") == "b'half\\n'\n"


async def test_12_a_frontend(place: Place) -> None:
    """An image with this Python; an Engine that has it in its own store need not pull it."""
    pushes = place.engine.release is packages.ENGINE_26
    out = place.folder / "out"
    address, environ = f"docker://{place.engine.socket}", {"HOME": str(place.folder)}
    async with buildctl.connect(address, environ=environ) as client:
        context = python_image.context(ROOT / "examples" / "api" / "12.py")
        image = Output.raw("moby", push=pushes, compression="uncompressed")
        await client.build(context, tags=["localhost:5000/fe"], output=image)
        await client.build(
            frontend="gateway.v0",
            attrs={"source": "localhost:5000/fe", "name": "you"},
            output=Output.local(out),
        )
    assert (out / "hello").read_text() == "hello you\n"
