"""What traces and stacks tell of a command line: what was done, and nothing that opens a door."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.cli.arguments import shown_arguments
from tests.support.program import run


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("build-arg:NPM=abc,def\nghi", "build-arg:NPM=***"),
        ("--opt=build-arg:NPM=abc", "--opt=build-arg:NPM=***"),
        (
            "type=s3,bucket=b,access_key_id=AK,secret_access_key=x/y+z=,session_token=t,region=eu",
            "type=s3,bucket=b,access_key_id=***,secret_access_key=***,session_token=***,region=eu",
        ),
        ("--export-cache=type=gha,token=abc,scope=s", "--export-cache=type=gha,token=***,scope=s"),
        ('type=gha,"ghtoken=a",scope=s', 'type=gha,"ghtoken=***",scope=s'),
        ("type=azblob,account_key=k,name=n", "type=azblob,account_key=***,name=n"),
        ("context=https://me:pw@git.example/a#b", "context=https://***@git.example/a#b"),
        ("context=https://ghp_x@git.example/a", "context=https://***@git.example/a"),
        ("https://host/?token=abc&x=1", "https://host/?token=***&x=1"),
    ],
)
def test_hidden(given: str, shown: str) -> None:
    assert shown_arguments([given]) == [shown]


@pytest.mark.parametrize(
    "given",
    [
        "build",
        "--secret",
        "--secret=id=npm,src=.npmrc",
        "id=npm,env=NPM_TOKEN",
        "context=.",
        "type=image,name=registry.example:5000/a,push=true",
        "tcp://host:1234",
        "target=token",
    ],
)
def test_shown(given: str) -> None:
    assert shown_arguments([given]) == [given]


def test_the_stacks_of_debug_tell_no_build_argument(tmp_path: Path) -> None:
    address = ("--debug", "--addr", f"unix://{tmp_path}/none.sock")
    ran = run(*address, "build", "--frontend", "a", "--opt", "build-arg:A=hidden", cwd=tmp_path)
    assert ran.exit == 1
    assert "--opt build-arg:A=***" in ran.stderr
    assert "hidden" not in ran.stderr
