"""`why` and `compare` on a real BuildKit: edited, pruned, asked for, typed wrong."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import Ran, run

pytestmark = pytest.mark.daemon

DOCKERFILE = 'FROM scratch\nCOPY busybox /\nARG V=1\nRUN ["/busybox", "echo", "one"]\nCOPY f g /\n'
BUILD = ("build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.")
FLAGS = (
    "--opt",
    "force-network-mode=none",
    "--opt",
    "build-arg:BUILDKIT_BUILD_NAME=why",
    "--progress",
    "quiet",
)


def test_why(own_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "f").write_text("f")
    (tmp_path / "g").write_text("g")
    shutil.copy(own_engine.busybox, tmp_path / "busybox")

    def buildctl(*arguments: str) -> Ran:
        return run("--addr", f"docker://{own_engine.socket}", *arguments, cwd=tmp_path)

    def why() -> dict[str, tuple[str, str, list[str]]]:
        ran = buildctl("why", "--format", "json")
        assert (ran.exit, ran.stderr) == (0, "")
        steps = json.loads(ran.stdout)["steps"]
        return {one["name"][6:]: (one["reason"], one["certainty"], one["details"]) for one in steps}

    def built(*more: str) -> dict[str, tuple[str, str, list[str]]]:
        assert buildctl(*BUILD, *FLAGS, *more).exit == 0
        return why()

    copy, echo, files = "COPY busybox /", 'RUN ["/busybox", "echo", "one"]', "COPY f g /"
    assert built()[echo] == ("no earlier build is known", "guess", [])
    assert built() == {}
    assert buildctl("why").stdout.endswith(": every step was cached\n")

    (tmp_path / "g").write_text("changed")
    assert built() == {files: ("files of the build context changed", "likely", ["g"])}

    (tmp_path / "Dockerfile").write_text(DOCKERFILE.replace("one", "two"))
    ran = built()
    echo = echo.replace("one", "two")
    assert ran[echo] == (
        "its definition changed",
        "certain",
        ['- RUN ["/busybox", "echo", "one"]', f"+ {echo}"],
    )
    assert ran[files][0] == f"what it is built on ran: [2/3] {echo}"

    assert built("--opt", "build-arg:V=2")[echo] == (
        "options of the build changed",
        "likely",
        ["+ build-arg:V=2"],
    )
    built("--no-cache")
    assert {reason for reason, _, _ in why().values()} == {"it was asked for with --no-cache"}

    assert buildctl("prune", "--all").exit == 0
    assert built()[copy] == ("its result is no longer in the cache: it was pruned or evicted", "likely", [])

    side = buildctl("compare", "^1", "^0").stdout.splitlines()
    assert side[0].split()[0] == "STEP"
    assert side[-1].startswith("the whole build")
    assert any(line.startswith("[3/3] COPY f g /") for line in side)
    assert buildctl("compare", "^0").stderr.startswith("error: two builds are needed\n")
    assert buildctl("why", "--format", "xml").stderr == 'error: invalid format "xml"\n'


def test_assert_cached(own_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY busybox /\nRUN ["/busybox", "true"]\nCOPY h /\n')
    (tmp_path / "h").write_text("h")
    shutil.copy(own_engine.busybox, tmp_path / "busybox")

    def build(*more: str) -> Ran:
        address = f"docker://{own_engine.socket}"
        return run("--addr", address, *BUILD, *FLAGS[:2], "--progress", "quiet", *more, cwd=tmp_path)

    first = build("--assert-cached")
    assert (first.exit, first.stdout) == (4, "")
    said = r"error: [23] steps ran that were to be cached\n  (\[1/3\] COPY busybox|\[2/3\] RUN)"
    assert re.match(said, first.stderr)  # the first step may be in the cache by the other test
    assert build("--assert-cached") == Ran(0, "", "")
    (tmp_path / "h").write_text("changed")
    assert build("--assert-cached=*RUN*").exit == 0
    (tmp_path / "h").write_text("again")
    again = build("--assert-cached=*COPY*", "--metadata-file", "meta")
    assert again.exit == 4
    assert again.stderr == (
        "error: 1 step ran that was to be cached\n"
        "  [3/3] COPY h /: files of the build context changed: h (likely)\n"
    )
    assert build("--assert-cached=false", "--no-cache").exit == 0
