"""`check`, `outline`, `targets` against a recorded frontend: what is asked, printed, and how it exits."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import jsonschema
import pytest

from buildctl.cli.check import Finding, _Locator, format_github, format_sarif, read_findings
from tests.support.command_lines import Outcome, run_line


def run(line: str, folder: Path) -> Outcome:
    return run_line(shlex.split(line), folder)


def test_check(tmp_path: Path) -> None:
    outcome = run("check . --build-arg A=1 --target t --format json", tmp_path)
    assert (outcome.exit, outcome.stderr) == (0, "")
    assert json.loads(outcome.stdout)["warnings"][0]["ruleName"] == "FromAsCasing"
    assert dict(outcome.request("LLBBridge/Solve").FrontendOpt) == {
        "requestid": "frontend.lint",
        "frontend.caps": "moby.buildkit.frontend.subrequests",
        "build-arg:A": "1",
        "target": "t",
    }


def test_check_for_people(tmp_path: Path) -> None:
    outcome = run("check", tmp_path)
    assert (outcome.exit, outcome.stderr) == (0, "")
    assert "FromAsCasing" in outcome.stdout


def test_strict(tmp_path: Path) -> None:
    outcome = run("check --strict --format github", tmp_path)
    assert outcome.exit == 1
    lines = outcome.stdout.splitlines()
    assert lines[0].startswith("::warning file=Dockerfile,title=FromAsCasing,line=1,endLine=1::")
    assert outcome.stderr == f"error: {len(lines)} warnings in the Dockerfile\n"


def test_sarif(tmp_path: Path) -> None:
    outcome = run("check --format sarif", tmp_path)
    (one,) = json.loads(outcome.stdout)["runs"]
    first = one["results"][0]
    assert (first["level"], first["ruleId"]) == ("warning", "FromAsCasing")
    where = first["locations"][0]["physicalLocation"]
    assert (where["artifactLocation"]["uri"], where["region"]["startLine"]) == ("Dockerfile", 1)
    assert {rule["id"] for rule in one["tool"]["driver"]["rules"]} >= {"FromAsCasing"}
    jsonschema.validate(  # what SARIF 2.1.0 requires of what is written here
        json.loads(outcome.stdout),
        {
            "required": ["version", "runs"],
            "properties": {
                "version": {"const": "2.1.0"},
                "runs": {
                    "items": {
                        "required": ["tool"],
                        "properties": {"results": {"items": {"required": ["message"]}}},
                    }
                },
            },
        },
    )


def test_outline(tmp_path: Path) -> None:
    outcome = run("outline --format text", tmp_path)
    assert outcome.exit == 0
    assert "TARGET" in outcome.stdout
    assert outcome.request("LLBBridge/Solve").FrontendOpt["requestid"] == "frontend.outline"


def test_an_error_of_the_file_is_one() -> None:
    fields = {
        "error": {"message": "unknown instruction: FOO", "location": {"ranges": [{"start": {"line": 2}}]}},
        "sources": [{"filename": "Dockerfile"}],
    }
    (finding,) = read_findings(fields, _Locator("app", ""))
    assert finding == Finding("error", "unknown instruction: FOO", file="app/Dockerfile", lines=(2, 2))


@pytest.mark.parametrize(
    "fields",
    [
        {"warnings": "x", "sources": 3},
        {
            "warnings": [
                None,
                3,
                {"location": {"sourceIndex": 99, "ranges": [{"start": 1}, None, {"start": {"line": "x"}}]}},
            ]
        },
        {"warnings": [{"location": {"sourceIndex": -1, "ranges": None}}], "sources": [{"filename": "a"}]},
        {"error": "text"},
    ],
)
def test_an_answer_of_another_shape_is_no_traceback(fields: dict[str, object]) -> None:
    for finding in read_findings(fields, _Locator(".", "")):
        format_github([finding])
        format_sarif([finding])


def test_annotations_cannot_be_broken_out_of() -> None:
    finding = Finding("warning", "a\n::error::b%", "r,u:le", file="x\r\n::set-env", lines=(1, 2))
    (line,) = format_github([finding]).splitlines()
    assert line.startswith("::warning file=x%0D%0A%3A%3Aset-env,title=r%2Cu%3Ale,line=1,endLine=2::a%0A")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("check a b", "one folder is enough"),
        ("check --format xml", 'invalid format "xml"'),
        ("outline --format sarif", 'invalid format "sarif"'),
        ("targets nope", 'the context "nope" is not there'),
        ("check -f Nope", 'there is no Dockerfile "Nope" in this folder or below .'),
    ],
)
def test_typed_wrong(line: str, message: str, tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    assert (outcome.exit, outcome.stdout, outcome.calls) == (1, "", [])
    assert outcome.stderr.startswith(f"error: {message}\n")
