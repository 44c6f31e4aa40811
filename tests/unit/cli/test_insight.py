"""Where the time went, as a user meets it: `timeline`, `replay`, and what a build tells at its end."""

from __future__ import annotations

import json
import os
import pty
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from buildctl.cli.build_flags import BuildFlags
from buildctl.cli.environment import Environment
from buildctl.cli.insight import Insight, find_insight
from buildctl.cli.main import main
from buildctl.cli.output import Output
from buildctl.cli.recordings import Recordings
from buildctl.errors import BuildctlError, UsageError
from buildctl.model.status import SolveStatus
from buildctl.progress.rawjson import encode_status
from tests.support import program, replay
from tests.support.replay_server import replay_server
from tests.support.statuses import log, merged, vertex

SLOW = merged(vertex("a", 0, 3, name="[1/2] RUN a"), vertex("b", 3, 3.5, name="[2/2] RUN b", inputs=("a",)))
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "build.json"
    file.write_bytes(b"".join(encode_status(s) for _, s in replay.load("build-parallel").statuses()))
    return file


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command line in this process; gives exit code, standard output and standard error."""

    def run(*arguments: str, stdin: Path | str = os.devnull) -> tuple[int, str, str]:
        files = [tmp_path / name for name in ("stdout", "stderr")]
        source = os.open(stdin, os.O_RDONLY)
        descriptors = [os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC) for file in files]
        umask = os.umask(0)
        try:
            code = main(arguments, Environment({}, source, *descriptors))
        finally:
            os.umask(umask)
            for descriptor in (source, *descriptors):
                os.close(descriptor)
        return code, files[0].read_text(), files[1].read_text()

    return run


def test_a_summary_of_a_saved_build(run: Run, saved: Path) -> None:
    code, out, err = run("timeline", str(saved))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Where the time went: 2.3s, 11 steps, 1.98MB transferred"
    assert lines[1].startswith("    2.0s  87%  one 1/1 RUN for i in")
    assert lines[-1].startswith("Critical path: 2.2s, 98% of the time: ")


def test_files_of_a_saved_build_that_comes_on_standard_input(run: Run, saved: Path, tmp_path: Path) -> None:
    page, events, timings = (str(tmp_path / name) for name in ("a.html", "a.json", "t.json"))
    assert run("timeline", "-o", page, "-o", events, "--timings", timings, "-", stdin=saved) == (0, "", "")
    assert Path(page).read_text().startswith("<!doctype html>")
    assert json.loads(Path(events).read_text())["traceEvents"]
    assert len(json.loads(Path(timings).read_text())["steps"]) == 11
    assert stat.S_IMODE(Path(page).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["timeline"], "one build is needed: its ref, or a file"),
        (["timeline", "no/file"], '"no/file" is neither a file nor the ref of a build'),
        (["timeline", "/"], "read /: is a directory"),
        (["timeline", "/dev/null"], "/dev/null: no message of a build in 0 lines"),
        (["timeline", "-o", "x.svg", "/dev/null"], 'a timeline is FILE.html or FILE.json, not "x.svg"'),
        (["timeline", "-o", "no/x.html", "/dev/null"], "open no/x.html: no such file or directory"),
        (["timeline", "--timings", "no/x", "/dev/null"], "open no/x: no such file or directory"),
        (["replay"], "one saved build is needed: a file, or a ref"),
        (["replay", "--speed", "0", "/dev/null"], 'invalid speed "0"'),
        (["replay", "--speed", "fast", "/dev/null"], 'invalid speed "fast"'),
        (
            ["replay", "--progress", "tty", "/dev/null"],
            "failed to get console: provided file is not a console",
        ),
        (["replay", "--speed", "max", "/dev/null"], "/dev/null: no message of a build in 0 lines"),
    ],
)
def test_what_cannot_be_meant(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert err == f"error: {said}\n"


def test_a_damaged_line_is_named(run: Run, saved: Path) -> None:
    with saved.open("ab") as file:
        file.write(b'{"vertexes":[{"digest":1}]}\n')
    count = len(saved.read_bytes().splitlines())
    code, _, err = run("replay", "--speed", "max", "--progress", "quiet", str(saved))
    assert (code, err) == (1, f"error: {saved}: line {count}: digest is not a string\n")


def test_a_replay_prints_what_the_build_printed(run: Run, saved: Path) -> None:
    code, out, err = run("replay", "--speed", "max", "--progress", "rawjson", str(saved))
    assert (code, err) == (0, "")
    assert out.encode() == saved.read_bytes()
    code, out, err = run("replay", "--speed", "max", "--progress", "plain", str(saved))
    assert (code, err) == (0, "")
    assert "[stage-4 3/3] COPY --from=three /o /3" in out


def flags(**given: object) -> BuildFlags:
    empty = {name: () if "tuple" in str(kind) else "" for name, kind in BuildFlags.__annotations__.items()}
    return BuildFlags(**{**empty, "summary": None, "progress": "auto", **given})  # type: ignore[arg-type]


async def told(insight: Insight | None, descriptor: int, *statuses: SolveStatus, fail: bool = False) -> None:
    """A build that says so much, recorded."""
    recordings = Recordings(Output(Environment({}, stderr=descriptor)), trace="", metrics="", insight=insight)

    async def build() -> None:
        async with recordings:
            for status in statuses:
                for sink in recordings.sinks:
                    sink(status)
            if fail:
                raise BuildctlError("the build")

    try:
        await build()
    finally:
        recordings.report()


async def test_a_live_display_is_followed_by_a_summary() -> None:
    master, terminal = pty.openpty()
    environment = Environment({"TERM": "xterm"}, stderr=terminal)
    await told(find_insight(environment, flags()), terminal, SLOW)
    text = os.read(master, 4096).decode()
    assert text.startswith("Where the time went: ")
    assert all(len(line) <= 80 for line in text.splitlines())
    assert find_insight(environment, flags(summary=False)) is None
    assert find_insight(environment, flags(progress="plain")) is None
    await told(
        find_insight(environment, flags()), terminal, vertex("a", 0, 9, cached=True), vertex("b", 9, 9.5)
    )
    os.write(terminal, b"end\n")
    assert os.read(master, 4096) == b"end\r\n", "there was nothing to tell"
    os.close(master)
    os.close(terminal)


async def test_without_a_terminal_only_if_it_is_asked_for(tmp_path: Path) -> None:
    environment = Environment({})
    with (tmp_path / "stderr").open("wb") as file:
        assert find_insight(environment, flags()) is None
        await told(find_insight(environment, flags(summary=True)), file.fileno(), vertex("b", 0, 0.1))
    assert (tmp_path / "stderr").read_text().startswith("Where the time went: ")


async def test_files_of_a_build_that_fails(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    insight = find_insight(Environment({}), flags(timelines=(str(page),), timings=str(tmp_path / "t.json")))
    with pytest.raises(BuildctlError, match="^the build$"):
        await told(insight, 2, SLOW, log("a", b"some output\n", 1), fail=True)
    assert "some output" in page.read_text()
    assert (tmp_path / "t.json").exists()


async def test_a_file_that_cannot_be_written_does_not_hide_why_a_build_failed(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    insight = Insight(summary=False, timings_file=str(folder / "t.json"))
    folder.rmdir()
    with pytest.raises(BuildctlError, match="^the build$"):
        await told(insight, 2, SLOW, fail=True)
    with pytest.raises(BuildctlError, match="^failed to create .*t.json: no such file or directory$"):
        await told(insight, 2, SLOW)


def test_names_are_checked_before_the_build() -> None:
    with pytest.raises(UsageError, match="a timeline is FILE.html or FILE.json"):
        Insight(timelines=("x.pdf",))


@pytest.mark.parametrize("in_terminal", [False, True])
def test_the_summary_of_a_failed_build_comes_before_its_error(tmp_path: Path, in_terminal: bool) -> None:
    """The log of the failed step, its place in the Dockerfile and the error stay together, and are last."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").symlink_to("nowhere")
    with replay_server("build-fail", tmp_path / "d.sock", speed=0):
        call = program.run_in_terminal if in_terminal else program.run
        build = (
            "build",
            "--frontend=dockerfile.v0",
            "--local=context=.",
            "--local=dockerfile=.",
            "--summary",
        )
        ran = call("--addr", f"unix://{tmp_path}/d.sock", *build, cwd=tmp_path)
    said = (ran.stdout + ran.stderr).replace("\r", "")
    parts = [
        "Where the time went:",
        "\n------\n > ",
        "\n------\n",
        "Dockerfile:",
        "\nerror: failed to solve: ",
    ]
    places = [said.rindex(part) for part in parts]
    assert places == sorted(places)
    assert said.count("Where the time went:") == 1
