"""What a build leaves for its CI service: the path of its Dockerfile, an annotation, a summary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildctl.cli.ci import CIReport
from buildctl.cli.environment import Environment
from buildctl.cli.output import Output
from buildctl.errors import BuildctlError, SolveError, SourceExcerpt
from buildctl.model.solve import SolveOpt
from buildctl.progress.modes import Mode
from tests.support.statuses import vertex

ERROR = SolveError(
    "failed to solve: boom",
    excerpts=(
        SourceExcerpt("Dockerfile", b"FROM a\n", ()),
        SourceExcerpt("Dockerfile", b"FROM a\nRUN b\n", ((2, 2),)),
    ),
)


@pytest.mark.parametrize(
    ("folder", "filename", "workspace", "path"),
    [
        (".", "Dockerfile", "", "Dockerfile"),
        ("app/docker", "sub/../Dockerfile", "", "app/docker/Dockerfile"),
        ("app/docker", "Dockerfile", "{cwd}/app", "docker/Dockerfile"),
        ("app", "Dockerfile", "{cwd}/..", "{name}/app/Dockerfile"),
        ("app", "Dockerfile", "{cwd}/other", "app/Dockerfile"),
        ("..", "Dockerfile", "", "{parent}/Dockerfile"),
        (None, "Dockerfile", "", "Dockerfile"),
    ],
)
def test_the_dockerfile_has_the_path_that_the_user_knows(
    folder: str | None,
    filename: str,
    workspace: str,
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"cwd": str(tmp_path), "name": tmp_path.name, "parent": str(tmp_path.parent)}
    variables = {"GITHUB_WORKSPACE": workspace.format(**names)} if workspace else {}
    opt = SolveOpt(local_dirs={} if folder is None else {"dockerfile": folder})
    report = CIReport(Output(Environment(variables)), Mode.GITHUB, opt)
    assert report.locate(filename) == path.format(**names)


def failing(mode: Mode, error: BaseException, **variables: str) -> str:
    """What is written to standard error about a build that ends with `error`."""
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as reader:
        report = CIReport(
            Output(Environment(variables, stderr=sink)), mode, SolveOpt(local_dirs={"dockerfile": "."})
        )
        for update in report.sinks:
            update(vertex("a", 0, 1, error="boom"))
        with pytest.raises(type(error)), report:
            raise error
        os.close(sink)
        return reader.read().decode()


def test_an_error_is_annotated_in_ci_alone() -> None:
    expected = "::error file=Dockerfile,line=2,endLine=2,title=buildctl::failed to solve: boom\n"
    assert failing(Mode.GITHUB, ERROR) == expected
    assert failing(Mode.GITHUB, BuildctlError("no\ndaemon")) == "::error title=buildctl::no%0Adaemon\n"
    assert failing(Mode.GITHUB, KeyboardInterrupt()) == ""
    for mode in (Mode.PLAIN, Mode.GROUPED, Mode.ERRORS, Mode.TTY):
        assert failing(mode, ERROR) == ""


def test_a_summary_is_appended(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    failing(Mode.GITHUB, ERROR, GITHUB_STEP_SUMMARY=str(page))
    text = page.read_text()
    assert text.startswith("before\n### buildctl: the build failed\n")
    assert " 2 | >>> RUN b\n" in text
    with CIReport(Output(Environment({"GITHUB_STEP_SUMMARY": str(page)})), Mode.GITHUB, SolveOpt()) as report:
        (update,) = report.sinks
        update(vertex("a", 0, 1))
    assert "### buildctl: the build succeeded\n\n1 step in 1.0s" in page.read_text()
    page.write_bytes(b"x" * (1 << 20))
    failing(Mode.GITHUB, ERROR, GITHUB_STEP_SUMMARY=str(page))
    assert page.stat().st_size == 1 << 20


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    said = failing(Mode.GITHUB, ERROR, GITHUB_STEP_SUMMARY=str(tmp_path))
    assert said.splitlines()[1] == f"warning: no summary in {tmp_path}: is a directory"


def test_what_is_said_besides_the_display_is_inert_with_the_display_of_a_service() -> None:
    plain, azure = Output(Environment()), Output(Environment())
    CIReport(plain, Mode.PLAIN, SolveOpt())
    CIReport(azure, Mode.AZURE, SolveOpt())
    assert plain.clean("##vso[x]") == "##vso[x]"
    assert azure.clean("##vso[x]") == "# #vso[x]"
