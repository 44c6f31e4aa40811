"""Builds of several projects on several real daemons, some of which are lost in the middle."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.program import COMMAND, environment

pytestmark = pytest.mark.daemon


def projects(folder: Path, count: int) -> list[Path]:
    made = []
    for number in range(count):
        project = folder / f"project{number}"
        project.mkdir()
        (project / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
        (project / "file").write_text(f"project {number}\n")
        made.append(project)
    return made


def build(project: Path, number: int, addr: str, home: Path, *flags: str) -> tuple[str, int, str]:
    """One build of a project: the daemon that it ended on, the exit status, and what was said."""
    out = project / f"out{number}"
    ran = subprocess.run(
        [
            *(
                *COMMAND,
                "--debug",
                "--addr",
                addr,
                *flags,
                "build",
                "--frontend=dockerfile.v0",
                "--retries=5",
            ),
            *("--local=context=.", "--local=dockerfile=.", "--progress=plain"),
            f"--output=type=local,dest={out}",
        ],
        cwd=project,
        env=environment(home, measured=False),
        capture_output=True,
        text=True,
        timeout=240,
    )
    taken = re.findall(r"^using (\S+): ", ran.stderr, re.MULTILINE)
    if ran.returncode == 0:
        assert (out / "file").read_text() == (project / "file").read_text()
        assert ran.stdout == ""
    return taken[-1] if taken else "", ran.returncode, ran.stderr


def test_projects_stay_where_their_cache_is(engine_20: Engine, engine_26: Engine, tmp_path: Path) -> None:
    addr = f"docker://{engine_20.socket},docker://{engine_26.socket}"
    places = defaultdict(set)
    for project in projects(tmp_path, 3):
        for number in range(2):
            place, status, said = build(project, number, addr, tmp_path)
            assert status == 0, said
            places[project].add(place)
    assert all(len(found) == 1 for found in places.values())


@contextlib.contextmanager
def engines() -> Iterator[list[Engine]]:
    with contextlib.ExitStack() as stack:
        try:
            yield [
                stack.enter_context(Engine(release))
                for release in (packages.ENGINE_20, packages.ENGINE_26) * 2
            ]
        except UnavailableError as missing:
            pytest.skip(str(missing))


def many(
    folder: Path, running: list[Engine], count: int, middle: Callable[[], None] = lambda: None
) -> dict[int, list[tuple[str, int, str]]]:
    """`count` builds of 20 projects by 20 processes at once; `middle` is called after half of them."""
    addr = ",".join(f"docker://{engine.socket}" for engine in running)
    made = projects(folder, 20)
    ended: dict[int, list[tuple[str, int, str]]] = defaultdict(list)
    half = threading.Semaphore(0)

    def one(number: int) -> None:
        result = build(made[number % 20], number, addr, folder, "--stall-timeout=10s")
        ended[number % 20].append(result)
        half.release()

    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(one, number) for number in range(count)]
        for _ in range(count // 2):
            half.acquire()
        middle()
        for future in futures:
            future.result()
    return ended


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nearly_all_builds_of_a_project_are_on_one_daemon(tmp_path: Path) -> None:
    with engines() as running:
        ended = many(tmp_path, running, 200)
    assert all(status == 0 for results in ended.values() for _, status, _ in results)
    most = [Counter(place for place, _, _ in results).most_common(1)[0][1] for results in ended.values()]
    assert sum(most) >= 0.9 * 200, most
    print("on the project's daemon:", sum(most), file=sys.stderr)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_one_killed_and_one_stopped(tmp_path: Path) -> None:
    with engines() as running:

        def middle() -> None:
            running[0].kill()
            running[1].pause()

        try:
            ended = many(tmp_path, running, 200, middle)
        finally:
            running[1].resume()
    failed = [said for results in ended.values() for _, status, said in results if status]
    assert not failed, failed[0]
