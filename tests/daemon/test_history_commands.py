"""`ps`, `attach` and `history` on real BuildKits: builds that run and that ran, files of them, refs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import Ran, run, run_in_terminal, start

pytestmark = pytest.mark.daemon

DOCKERFILE = """FROM scratch AS base
COPY busybox /
ARG WAIT=0
RUN ["/busybox", "echo", "hello"]
RUN ["/busybox", "sh", "-c", "/busybox sleep $WAIT"]
FROM base AS broken
RUN ["/busybox", "false"]
FROM base
"""
FLAGS = ("--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.", "--no-cache")
MORE = ("--opt", "force-network-mode=none", "--progress", "plain", "--ref-file", "ref")


class Machine:
    """A folder to build, and the program at work on one engine."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.address = f"docker://{engine.socket}"
        self.folder = folder
        (folder / "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(engine.busybox, folder / "busybox")

    def __call__(self, *arguments: str) -> Ran:
        return run("--addr", self.address, *arguments, cwd=self.folder)

    def succeed(self, *arguments: str) -> str:
        ran = self(*arguments)
        assert (ran.exit, ran.stderr) == (0, ""), ran
        return ran.stdout

    def fail(self, *arguments: str) -> str:
        ran = self(*arguments)
        assert (ran.exit, ran.stdout) == (1, "")
        return ran.stderr

    def build(self, *opts: str) -> str:
        """Build; returns the ref."""
        self("build", *FLAGS, *MORE, *(word for opt in opts for word in ("--opt", opt)))
        return (self.folder / "ref").read_text()

    def start(self, *opts: str) -> subprocess.Popen[bytes]:
        """A build that runs."""
        words = [word for opt in opts for word in ("--opt", opt)]
        return start("--addr", self.address, "build", *FLAGS, *MORE, *words, cwd=self.folder)


@pytest.fixture
def new(engine_26: Engine, tmp_path: Path) -> Iterator[Machine]:
    """On BuildKit 0.13, whose history is empty before and after."""
    machine = Machine(engine_26, tmp_path)
    machine.succeed("prune-histories")
    yield machine
    machine.succeed("history", "rm", "--all")


def test_a_build_that_runs_is_listed_and_attached_to(new: Machine) -> None:
    assert new.succeed("ps").split() == ["REF", "BUILD", "STARTED", "RUNS", "FOR"]
    assert new.fail("attach").startswith("error: no build runs now\n")
    with new.start("build-arg:WAIT=3") as building:
        while not (ref := new.succeed("ps", "-q").strip()):
            time.sleep(0.05)
        assert ref in new.succeed("ps")
        shown = new.succeed("attach", ref[:5])
        assert building.wait(20) == 0
    assert "hello" in shown  # what was said before
    assert "sleep 3" in shown
    assert new.fail("attach", ref) == f"error: the build {ref} has ended\n"


def test_attach_ends_as_the_build_does(new: Machine) -> None:
    with new.start("build-arg:WAIT=2", "target=broken") as building:
        while not new.succeed("ps", "-q").strip():
            time.sleep(0.05)
        attached = new("attach")
        assert building.wait(20) == 1
    assert attached.exit == 1
    assert 'process "/busybox false" did not complete successfully' in attached.stderr


def test_a_history(new: Machine) -> None:
    first, second = new.build(), new.build("target=broken")
    rows = [line.split() for line in new.succeed("history", "ls").splitlines()]
    assert rows[0] == ["REF", "BUILD", "STATE", "STARTED", "TOOK", "CACHED", "PINNED"]
    assert [(row[0], row[1:-4], row[-4]) for row in rows[1:]] == [
        (second, ["(broken)"], "failed"),
        (first, ["-"], "completed"),
    ]
    newest = json.loads(new.succeed("history", "ls", "--limit", "1", "--format", "json"))
    assert newest["record"]["Ref"] == second

    assert "hello" in new.succeed("history", "logs", "--progress", "plain", "^1")
    page = new.succeed("history", "inspect", second[:6])
    assert f"Ref      {second}\n" in page
    assert "\nOPTIONS\n" in page
    assert "\nERROR\n" in page
    assert new.succeed("history", "inspect", "--format", "{{.Record.Ref}}", first).strip() == first

    assert new.succeed("history", "rm", "^0") == f"{second}\n"
    assert new.fail("history", "logs", second) == f'error: no build "{second}" in the history\n'


def test_a_build_goes_through_a_file(new: Machine) -> None:
    ref = new.build()
    assert new.succeed("history", "export", "-o", "one.dockerbuild") == ""
    said = new.succeed("history", "logs", "--progress", "plain", ref)
    assert new.succeed("history", "rm", ref) == f"{ref}\n"

    there = ("--addr", "unix:///nowhere/at/all")
    folder = new.folder
    assert (
        run(*there, "history", "logs", "--progress", "plain", "./one.dockerbuild", cwd=folder).stdout == said
    )
    assert run(*there, "history", "import", "one.dockerbuild", cwd=folder) == Ran(0, f"{ref}\n", "")
    assert ref in run(*there, "history", "ls", "--imported", cwd=folder).stdout
    assert run(*there, "history", "logs", "--progress", "plain", ref, cwd=folder).stdout == said
    again = run(*there, "history", "export", "-o", "two.dockerbuild", ref, cwd=folder)
    assert (again.exit, again.stderr) == (0, "")
    assert (folder / "two.dockerbuild").read_bytes() == (folder / "one.dockerbuild").read_bytes()
    assert run(*there, "history", "rm", ref, cwd=folder) == Ran(0, f"{ref}\n", "")
    assert ref not in run(*there, "history", "ls", "--imported", cwd=folder).stdout


def test_a_timeline_is_opened(new: Machine) -> None:
    ref = new.build()
    variables = {"BROWSER": "echo opened %s", "XDG_STATE_HOME": str(new.folder / "state")}
    ran = run("--addr", new.address, "history", "open", ref, cwd=new.folder, variables=variables)
    page = new.folder / "state/buildctl/timeline.html"
    assert (ran.exit, ran.stdout.splitlines()) == (0, [str(page), f"opened file://{page}"])
    assert page.read_bytes().startswith(b"<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o600


def test_a_table_fits_its_window(new: Machine) -> None:
    name = "a-long-name-" * 12
    new.build(f"build-arg:BUILDKIT_BUILD_NAME={name}")
    shown = run_in_terminal("--addr", new.address, "history", "ls", cwd=new.folder, size=(80, 24))
    lines = shown.stdout.splitlines()
    assert len(lines) == 2
    assert "a-long-name-" in lines[1]
    assert "now" in lines[1] or "ago" in lines[1]
    assert name in new.succeed("history", "ls")


def test_an_old_daemon_says_that_it_has_no_history(engine_20: Engine, tmp_path: Path) -> None:
    old = Machine(engine_20, tmp_path)
    for command in (["ps"], ["attach"], ["history", "ls"], ["history", "logs"]):
        assert old.fail(*command) == "error: the daemon keeps no history of builds\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["history", "export", "--all", "x"], "error: --all is all builds: leave out the refs\n"),
        (["history", "rm"], "error: name the builds to remove, or all of them with --all\n"),
        (["history", "import"], "error: a .dockerbuild file is needed\n"),
        (
            ["history", "logs", "./nope.dockerbuild"],
            "error: open ./nope.dockerbuild: no such file or directory\n",
        ),
        (["history", "logs", "./busybox"], "error: ./busybox: not a .dockerbuild file\n"),
        (["history", "logs", "nope"], 'error: no build "nope" in the history\n'),
        (["attach", "nope"], 'error: no build "nope" in the history\n'),
        (["history", "export", "nope"], 'error: no build "nope" in the history\n'),
    ],
)
def test_typed_wrong(new: Machine, arguments: list[str], message: str) -> None:
    assert new.fail(*arguments) == message
