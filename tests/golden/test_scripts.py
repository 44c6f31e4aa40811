"""Command lines as people write them in scripts and CI jobs: what each asks for, prints and leaves.

The shapes are those of public Tekton tasks, Argo workflows, GitLab and Concourse jobs, of what nerdctl runs,
and of what follows `buildctl-daemonless.sh`: quoting, order of flags, attributes, variables. Names are ours.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.command_lines import run_line


class Row(NamedTuple):
    """A command line, the daemon left out, and what comes of it."""

    where: str
    line: str
    frontend: str = "dockerfile.v0"
    attrs: Mapping[str, str] = {}
    exports: tuple[tuple[str, Mapping[str, str]], ...] = ()
    cache_to: tuple[tuple[str, Mapping[str, str]], ...] = ()
    cache_from: tuple[tuple[str, Mapping[str, str]], ...] = ()
    left: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}
    entitlements: tuple[str, ...] = ()


PUSHED = {"name": "registry.example/team/app:1", "push": "true"}
TABLE = [
    Row(
        "GitLab CI/CD, buildctl-daemonless.sh",
        "build --frontend=dockerfile.v0 --local context=. --local dockerfile=. "
        "--output type=image,name=registry.example/team/app:1,push=true,registry.insecure=true "
        "--export-cache "
        "type=registry,ref=registry.example/team/cache,mode=max,registry.insecure=true "
        "--import-cache type=registry,ref=registry.example/team/cache",
        exports=(("image", {**PUSHED, "registry.insecure": "true"}),),
        cache_to=(
            (
                "registry",
                {"ref": "registry.example/team/cache", "mode": "max", "registry.insecure": "true"},
            ),
        ),
        cache_from=(("registry", {"ref": "registry.example/team/cache"}),),
    ),
    Row(
        "GitLab CI/CD, quoted, many platforms",
        'build --frontend dockerfile.v0 --local context=. --local dockerfile=. --output "type=image,'
        'name=registry.example/team/app:1,push=true" --opt "platform=linux/amd64,linux/arm64" '
        '--import-cache "type=registry,ref=r/app:cache" '
        '--export-cache "type=registry,ref=r/app:cache,mode=max"',
        attrs={"platform": "linux/amd64,linux/arm64"},
        exports=(("image", PUSHED),),
        cache_to=(("registry", {"ref": "r/app:cache", "mode": "max"}),),
        cache_from=(("registry", {"ref": "r/app:cache"}),),
    ),
    Row(
        "a job's variables, one with a blank and one that is not set",
        "build --progress=plain --frontend=dockerfile.v0 --local context=. --local dockerfile=. "
        '--opt "build-arg:MESSAGE=fix the thing" --opt build-arg:CI_COMMIT_SHA --opt build-arg:UNSET',
        attrs={"build-arg:MESSAGE": "fix the thing", "build-arg:CI_COMMIT_SHA": "abc"},
        variables={"CI_COMMIT_SHA": "abc"},
    ),
    Row(
        "Tekton, buildkit task",
        "--debug build --progress=plain --frontend=dockerfile.v0 --opt filename=./Dockerfile "
        "--local context=. --local dockerfile=. "
        "--output type=image,name=registry.example/team/app:1,push=true "
        "--export-cache type=inline --import-cache type=registry,ref=registry.example/team/app:1",
        attrs={"filename": "./Dockerfile"},
        exports=(("image", PUSHED),),
        cache_to=(("inline", {"mode": "min"}),),
        cache_from=(("registry", {"ref": "registry.example/team/app:1"}),),
    ),
    Row(
        "Tekton, digest as the task's result",
        "build --progress=plain --frontend=dockerfile.v0 --local context=. --local dockerfile=. "
        "--output type=image,name=registry.example/team/app:1,push=true --metadata-file metadata.json "
        "--ref-file ref",
        exports=(("image", PUSHED),),
        left=("ref",),  # the exporter of this daemon says nothing that would be metadata
    ),
    Row(
        "Argo Workflows, slashes after folders",
        "build --frontend dockerfile.v0 --local context=./ --local dockerfile=./ "
        "--output type=image,name=docker.io/team/app:1,push=true",
        exports=(("image", {"name": "docker.io/team/app:1", "push": "true"}),),
    ),
    Row(
        "Argo Workflows, cache in a bucket",
        "build --frontend dockerfile.v0 --local context=. --local dockerfile=. "
        "--export-cache type=s3,region=eu-west-1,bucket=b,name=app,mode=max,use_path_style=true "
        "--import-cache type=s3,region=eu-west-1,bucket=b,name=app,use_path_style=true",
        cache_to=(
            (
                "s3",
                {
                    "region": "eu-west-1",
                    "bucket": "b",
                    "name": "app",
                    "mode": "max",
                    "use_path_style": "true",
                },
            ),
        ),
        cache_from=(("s3", {"region": "eu-west-1", "bucket": "b", "name": "app", "use_path_style": "true"}),),
    ),
    Row(
        "Concourse, oci-build task",
        "build --progress plain --frontend dockerfile.v0 --local context=. --local dockerfile=. "
        "--opt filename=Dockerfile --opt target=final --opt build-arg:A=1 --opt label:team=b "
        "--export-cache type=inline",
        attrs={"filename": "Dockerfile", "target": "final", "build-arg:A": "1", "label:team": "b"},
        cache_to=(("inline", {"mode": "min"}),),
    ),
    Row(
        "nerdctl build --platform --label --build-arg, with a git commit",
        "build --progress=plain --frontend=dockerfile.v0 --local=context=. "
        "--output=type=image,name=docker.io/l/a "
        "--local=dockerfile=. --opt=filename=Dockerfile --opt=platform=linux/arm64 --opt=label:a=b=c "
        "--opt=build-arg:HTTP_PROXY=http://proxy.example --no-cache",
        attrs={
            "filename": "Dockerfile",
            "platform": "linux/arm64",
            "label:a": "b=c",
            "build-arg:HTTP_PROXY": "http://proxy.example",
            "no-cache": "",
        },
        exports=(("image", {"name": "docker.io/l/a"}),),
    ),
    Row(
        "nerdctl, two tags in one field of CSV",
        "build --frontend=dockerfile.v0 --local=context=. --local=dockerfile=. "
        "--output='type=image,\"name=docker.io/l/a,docker.io/l/b\",unpack=true'",
        exports=(("image", {"name": "docker.io/l/a,docker.io/l/b", "unpack": "true"}),),
    ),
    Row(
        "zstd",
        "build --progress=plain --frontend=dockerfile.v0 --local context=. --local dockerfile=. --output "
        "type=image,oci-mediatypes=true,name=r/a,compression=zstd,force-compression=true,push=true",
        exports=(
            (
                "image",
                {
                    "oci-mediatypes": "true",
                    "name": "r/a",
                    "compression": "zstd",
                    "force-compression": "true",
                    "push": "true",
                },
            ),
        ),
    ),
    Row(
        "another frontend, and a context from git",
        "build --frontend gateway.v0 --opt source=docker/dockerfile "
        "--opt context=https://git.example/team/app.git#main:sub",
        frontend="gateway.v0",
        attrs={"source": "docker/dockerfile", "context": "https://git.example/team/app.git#main:sub"},
    ),
    Row(
        "secrets, network of the host",
        "build --frontend dockerfile.v0 --local context=. --local dockerfile=. --secret id=token,env=TOKEN "
        "--secret id=npmrc,src=Dockerfile --allow network.host --opt force-network-mode=host",
        attrs={"force-network-mode": "host"},
        variables={"TOKEN": "t0ken-of-a-job"},
        entitlements=("network.host",),
    ),
    Row(
        "a script's empty $EXTRA_ARGS, old spellings of the outputs",
        "build --frontend=dockerfile.v0 --local context=. --local dockerfile=. --progress=plain "
        "--trace trace.json --output type=image,name=r/a,push=false",
        exports=(("image", {"name": "r/a", "push": "false"}),),
        left=("trace.json",),
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=[row.where for row in TABLE])
def test_what_a_script_s_command_line_asks_for_prints_and_leaves(row: Row, tmp_path: Path) -> None:
    outcome = run_line(shlex.split(row.line), tmp_path, variables=row.variables)
    assert outcome.exit == 0, outcome.stderr
    solve = outcome.request("Control/Solve")
    inner = outcome.request("LLBBridge/Solve")
    assert inner.Frontend == row.frontend
    attrs = {key: value for key, value in solve.FrontendAttrs.items() if key != "cache-imports"}
    assert attrs == row.attrs
    assert _typed(solve.Exporters, "Type") == row.exports
    assert _typed(solve.Cache.Exports, "Type") == row.cache_to
    assert _typed(inner.CacheImports, "Type") == row.cache_from
    assert tuple(solve.Entitlements) == row.entitlements
    # Standard output is for results, which a script may read; the rest goes elsewhere, without secrets.
    assert outcome.stdout == ""
    assert outcome.stderr.startswith(("#1 ", "time="))
    assert "error" not in outcome.stderr
    assert all(value not in outcome.stderr for name, value in row.variables.items() if name == "TOKEN")
    assert tuple(outcome.left) == row.left


def _typed(entries: Any, name: str) -> tuple[tuple[str, dict[str, str]], ...]:
    return tuple((getattr(entry, name), dict(entry.Attrs)) for entry in entries)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "build --local context=. --local dockerfile=.",
            "please specify --frontend or pipe LLB definition to stdin",
        ),
        ("build --frontend dockerfile.v0 --local context", "invalid value context"),
        (
            "build --frontend dockerfile.v0 --output type=local",
            "output directory is required for local exporter",
        ),
        ("build --frontend dockerfile.v0 --export-cache type=", "--export-cache requires type=<type>"),
    ],
)
def test_what_is_wrong_in_a_script_is_said_before_anything_is_asked(
    line: str, error: str, tmp_path: Path
) -> None:
    outcome = run_line(shlex.split(line), tmp_path)
    assert (outcome.exit, outcome.stdout, outcome.calls, outcome.left) == (1, "", [], [])
    assert error in outcome.stderr
