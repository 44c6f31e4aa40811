"""Parallel builds that fail on a real engine, in a job of each CI service and in the voices for people."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path

import pytest

from tests.support.ci_logs import READERS, Section
from tests.support.engines import Engine
from tests.support.program import Ran, run

pytestmark = pytest.mark.daemon

DOCKERFILE = """\
FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "/bin"]

FROM base AS one
RUN for i in 1 2 3 4 5 6; do echo "::error::one $i"; echo "one $i ##[endgroup]"; sleep 0.05; done

FROM base AS two
RUN for i in 1 2 3 4 5 6; do printf 'two %s ##vso[task.complete]\\r::endgroup::two\\n' $i; sleep 0.05; done

FROM base AS three
RUN for i in 1 2 3 4 5 6; do echo "--- three $i"; printf '##team'; sleep 0.04; \\
    echo "city[blockClosed name='x']"; done; echo "##[error]three"; exit 3

FROM base
COPY --from=one /bin/busybox /1
COPY --from=two /bin/busybox /2
COPY --from=three /bin/busybox /3
"""
FAILING_LINE = 12

JOBS = {
    "github": {"GITHUB_ACTIONS": "true"},
    "gitlab": {"GITLAB_CI": "true"},
    "buildkite": {"BUILDKITE": "true"},
    "azure": {"TF_BUILD": "True"},
    "teamcity": {"TEAMCITY_VERSION": "2024.07"},
}


@pytest.fixture
def project(tmp_path: Path, engine_26: Engine) -> Path:
    """A folder whose Dockerfile is app/docker/image.Dockerfile."""
    folder = tmp_path / "app" / "docker"
    folder.mkdir(parents=True)
    (folder / "image.Dockerfile").write_text(DOCKERFILE)
    shutil.copy(engine_26.busybox, tmp_path / "app" / "busybox")
    return tmp_path


def build(project: Path, engine: Engine, *arguments: str, **variables: str) -> Ran:
    words = ["--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0", "--no-cache"]
    words += [
        "--local",
        "context=app",
        "--local",
        "dockerfile=app/docker",
        "--opt",
        "filename=image.Dockerfile",
    ]
    return run(*words, "--opt", "force-network-mode=none", *arguments, cwd=project, variables=variables)


@pytest.mark.parametrize("service", sorted(JOBS))
def test_a_parallel_build_fails_in_a_job(service: str, project: Path, engine_26: Engine) -> None:
    summary = project / "summary.md"
    ran = build(project, engine_26, **JOBS[service], GITHUB_STEP_SUMMARY=str(summary))
    assert (ran.exit, ran.stdout) == (1, "")
    seen = READERS[service](ran.stderr)
    assert seen.other_commands == []
    errors = [one for one in seen.annotations if one.level == "error"]
    assert [(one.path, one.line) for one in errors] == [("app/docker/image.Dockerfile", FAILING_LINE)]
    assert "did not complete successfully: exit code: 3" in errors[0].message
    for word in ("one", "two", "three"):
        (section,) = steps(seen.sections, f"[{word} 1/1] RUN")
        others = {"one", "two", "three"} - {word}
        numbered = [line for line in section.lines if re.match(r"#\d+ \d+\.\d+ ", line)]
        assert numbered
        assert all(re.search(rf"\b{word}\b|city", line) for line in numbered)
        assert not [line for line in numbered if any(re.search(rf"\b{other}\b", line) for other in others)]
    (failed,) = steps(seen.sections, "[three 1/1] RUN")
    said = [found[1] for line in failed.lines if (found := re.fullmatch(r"#\d+ \d+\.\d+ (.*)", line))]
    expected = [[f"--- three {i}", "# #teamcity[blockClosed name='x']"] for i in range(1, 7)]
    assert said == [*itertools.chain(*expected), "# #[error]three"]
    assert f"image.Dockerfile:{FAILING_LINE}\n--------------------\n" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("error: failed to solve: process ")
    if service != "github":
        assert not summary.exists()
        return
    page = summary.read_text()
    assert "### buildctl: the build failed\n" in page
    assert page.count("| **failed** |") == 1
    assert f" {FAILING_LINE} | >>> RUN for i in" in page


def steps(sections: list[Section], name: str) -> list[Section]:
    """The sections of a step, but for the failed one's last lines that Buildkite gets in a group besides."""
    return [section for section in sections if re.match(rf"#\d+ {re.escape(name)}", section.title)]


def test_a_step_at_a_time(project: Path, engine_26: Engine) -> None:
    ran = build(project, engine_26, "--progress=grouped", GITHUB_ACTIONS="true")
    sections = ran.stderr.partition("------\n")[0].split("\n\n")
    numbers = [set(re.findall(r"(?m)^#(\d+) ", section)) for section in sections]
    assert numbers == [{str(number)} for number in range(1, len(sections) + 1)]
    assert "::error::one 1\n" in ran.stderr  # its last line may lose against the step that fails


def test_errors_alone(project: Path, engine_26: Engine) -> None:
    ran = build(project, engine_26, "--progress=errors")
    log, _, report = ran.stderr.partition("------\nimage.Dockerfile:")
    first, name, *lines = log.splitlines()
    assert first == "------"
    assert name.startswith(" > [three 1/1] RUN for i in")
    assert [re.sub(r"^\d+\.\d+ ", "", line) for line in lines] == [
        line for i in range(1, 7) for line in (f"--- three {i}", "##teamcity[blockClosed name='x']")
    ] + ["##[error]three"]
    assert report.startswith(f"{FAILING_LINE}\n--------------------\n")
    assert re.fullmatch(r"error: failed to solve: process .*: exit code: 3", report.splitlines()[-1])
    assert build(project, engine_26, "--progress=errors", "--opt", "target=base") == Ran(0, "", "")
