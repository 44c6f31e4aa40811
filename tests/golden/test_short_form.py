"""`buildctl build PATH -t NAME …`: what the daemon is asked for is what the long form asks for."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_lines import Outcome, run_line

LONG = "build --frontend dockerfile.v0 --local context=. --local dockerfile=. "


def run(line: str, folder: Path, **more: Any) -> Outcome:
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return run_line(shlex.split(line), folder, **more)


SAME = [
    ("build .", ""),
    ("build . --target test", "--opt target=test"),
    ("build -f D .", "--opt filename=D"),
    ("build . --build-arg A=1 --build-arg B=x=y", "--opt build-arg:A=1 --opt build-arg:B=x=y"),
    ("build . --build-arg V --build-arg UNSET", "--opt build-arg:V"),
    (
        "build . --label a=b --platform linux/amd64,linux/arm64",
        "--opt label:a=b --opt platform=linux/amd64,linux/arm64",
    ),
    ("build . --pull --no-cache", "--opt image-resolve-mode=pull --no-cache"),
    ("build . --no-cache-filter a --no-cache-filter b,c", "--opt no-cache=a,b,c"),
    ("build . -t a/b:1 -t c", "-o 'type=image,\"name=a/b:1,c\"'"),
    ("build . -t a/b:1 --push", "-o type=image,name=a/b:1,push=true"),
    ("build . -t a -o type=oci,dest=x.tar", "-o type=oci,dest=x.tar,name=a"),
    ("build . --opt target=long --target short", "--opt target=long"),
    ("build https://example.org/a.git#main", None),
]


@pytest.mark.parametrize(("short", "long"), SAME)
def test_the_same_request(short: str, long: str | None, tmp_path: Path) -> None:
    (tmp_path / "D").write_text("FROM scratch\n")
    variables = {"V": "from env"}
    outcome = run(short, tmp_path, variables=variables)
    if long is None:
        assert dict(outcome.request("LLBBridge/Solve").FrontendOpt) == {
            "context": "https://example.org/a.git#main"
        }
        return
    expected = run(LONG + long, tmp_path, variables=variables)
    for method in ("Control/Solve", "LLBBridge/Solve"):
        assert outcome.request(method) == expected.request(method)
    assert outcome.services == expected.services


def test_a_dockerfile_on_standard_input(tmp_path: Path) -> None:
    outcome = run("build -f - -t a .", tmp_path, stdin=b"FROM scratch\n")
    request = outcome.request("LLBBridge/Solve")
    assert request.Frontend == "dockerfile.v0"
    assert "FileSync/DiffCopy" in outcome.services


def test_an_archive_on_standard_input(tmp_path: Path) -> None:
    outcome = run("build - --target x", tmp_path, stdin=b"an archive")
    attrs = dict(outcome.request("LLBBridge/Solve").FrontendOpt)
    assert attrs["target"] == "x"  # what follows the dash counts
    assert attrs["context"].startswith("http://buildkit-session/")


def test_with_a_frontend_a_path_is_ignored_as_ever(tmp_path: Path) -> None:
    outcome = run(LONG + "elsewhere --target t", tmp_path)
    assert dict(outcome.request("LLBBridge/Solve").FrontendOpt) == {"target": "t"}


WRONG = [
    ("build -t x", "the folder to build is missing"),
    ("build a b", 'one folder can be built at a time, not "a" and "b"'),
    ("build nope", 'the context "nope" is not there'),
    ("build Dockerfile", 'the context "Dockerfile" is a file'),
    ("build . --label x", 'invalid --label "x"'),
    ("build . --annotation =y -t a", 'invalid --annotation "=y"'),
    ("build . --build-arg =", 'invalid --build-arg "="'),
    ("build . --build-context base", 'invalid --build-context "base"'),
    ("build . -t 'a b,c'", 'invalid tag "a b,c"'),
    ("build . --push", "an image without a name cannot be pushed"),
    ("build . --annotation a=b", "annotations need an image"),
    ("build . --iidfile i", "--iidfile needs an image"),
    ("build . -f Nope", 'there is no Dockerfile "Nope" in this folder or below .'),
    ("build -f - -", "the context and the Dockerfile cannot both come from standard input"),
    ("build -f - .", "the Dockerfile on standard input is empty"),
    ("build . --dry-run --format xml", 'invalid format "xml"'),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_typed_wrong(line: str, message: str, tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    assert (outcome.exit, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"error: {message}\n")
    assert outcome.calls == []
    assert outcome.left == []


def test_a_dry_run_asks_nobody_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "tok").write_text("s3cret")
    (tmp_path / ".dockerignore").write_text("*.log\n")
    (tmp_path / "a.log").write_text("x" * 1000)
    line = "build . -t a:1 --build-arg V -o type=local,dest=out --secret id=tok,src=tok --dry-run"
    outcome = run(line, tmp_path, variables={"V": "it's"})
    assert (outcome.exit, outcome.stderr, outcome.calls, outcome.left) == (0, "", [], [])
    assert outcome.stdout.startswith(
        "buildctl build \\\n"
        "  --frontend dockerfile.v0 \\\n"
        "  --local context=. \\\n"
        "  --local dockerfile=. \\\n"
        "  --opt 'build-arg:V=it'\"'\"'s' \\\n"
        "  --output type=local,dest=out \\\n"
        "  --secret id=tok,src=tok\n\n"
    )
    assert "secret   tok\nwrites   files below out\n" in outcome.stdout
    assert "s3cret" not in outcome.stdout
    told = json.loads(run(line + " --format json", tmp_path).stdout)
    assert told["sends"][0]["files"] == 3  # Dockerfile, .dockerignore, tok
    assert told["secrets"] == ["tok"]


def test_the_long_form_of_a_dry_run_is_the_same_build(tmp_path: Path) -> None:
    line = "build . -t a/b:1,c --target x --label 'q=a \"b\", c' --push --platform linux/arm64"
    line = line.replace(",c", "")
    told = json.loads(run(line + " --dry-run --format json", tmp_path).stdout)
    (tmp_path / "again").mkdir()
    again = run_line(told["command"][1:], tmp_path)
    outcome = run(line, tmp_path)
    for method in ("Control/Solve", "LLBBridge/Solve"):
        assert again.request(method) == outcome.request(method)
