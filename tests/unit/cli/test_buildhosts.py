"""The registries that a build names: from its Dockerfile, its flags, LLB and a policy."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from buildctl._pb import ops_pb2
from buildctl._pb.sourcepolicy_pb2 import Policy
from buildctl.cli.buildhosts import admitted_hosts
from buildctl.cli.dockerfile import Images, images_of
from buildctl.cli.flags.authhosts import parse_auth_hosts
from buildctl.model.imagename import registry_of
from buildctl.model.solve import CacheEntry, Export, FileDestination, SolveOpt


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("alpine", "docker.io"),
        ("library/alpine:3", "docker.io"),
        ("docker.io/library/alpine", "docker.io"),
        ("index.docker.io/a/b", "docker.io"),
        ("r.example/a@sha256:00", "r.example"),
        ("r.example:5000/a/b:1", "r.example:5000"),
        ("localhost/a", "localhost"),
        ("localhost:5000/a", "localhost:5000"),
        ("Host/a", "host"),
        ("[::1]:5000/a", "[::1]:5000"),
        ("alpine:3", "docker.io"),
        ("r.example", "docker.io"),
    ],
)
def test_registry_of(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@pytest.mark.parametrize(
    ("lines", "names", "unclear"),
    [
        (["FROM r.example/a"], {"r.example/a"}, ()),
        (
            ["from --platform=$BUILDPLATFORM r.example/a as base", "FROM base", "FROM BASE"],
            {"r.example/a"},
            (),
        ),
        (
            ["FROM scratch", "COPY --from=r.example/b --chown=1 /x /", "copy --from=0 / /"],
            {"r.example/b"},
            (),
        ),
        (["FROM a", "RUN --mount=type=bind,from=r.example/b,target=/x ls"], {"a", "r.example/b"}, ()),
        (["FROM a", "ONBUILD COPY --from=r.example/b / /"], {"a", "r.example/b"}, ()),
        (["# syntax = r.example/frontend:1", "FROM a"], {"r.example/frontend:1", "a"}, ()),
        (["# hello", "# syntax=r.example/no", "FROM a"], {"a"}, ()),
        (["#!/usr/bin/env x", "// syntax=r.example/go", "FROM a"], {"r.example/go", "a"}, ()),
        (["FROM \\", "  # between", "  r.example/a \\", "  AS b", "FROM b"], {"r.example/a"}, ()),
        (["# escape=`", "FROM `", "r.example/a"], {"r.example/a"}, ()),
        (["ARG R=r.example", "FROM $R/a"], {"r.example/a"}, ()),
        (["ARG R=r.example A=${R}/a:1", "FROM ${A}"], {"r.example/a:1"}, ()),
        (['ARG R="r.example"', "FROM ${R:-x.example}/${N:-a}"], {"r.example/a"}, ()),
        (["FROM ${R:-x.example}/a"], {"x.example/a"}, ()),
        (["ARG R", "FROM ${R:+y.example/}a"], {"a"}, ()),
        (["ARG GIVEN=r.example", "FROM $GIVEN/a"], {"given.example/a"}, ()),
        (["ARG GIVEN", "FROM $GIVEN/a"], {"given.example/a"}, ()),
        (["FROM r.example/a-$TARGETARCH:1"], {"r.example/a-"}, ()),
        (["FROM alpine:$TAG"], {"alpine:"}, ()),
        (["FROM $BASE"], set(), ("$BASE",)),
        (["FROM ${R}/a"], set(), ("${R}/a",)),
        (["FROM ${R?must}/a"], set(), ("${R?must}/a",)),
        (["", "#", "not an instruction", "FROM"], set(), ()),
    ],
)
def test_a_dockerfile(lines: list[str], names: set[str], unclear: tuple[str, ...]) -> None:
    found = images_of("\ufeff" + "\r\n".join(lines), {"GIVEN": "given.example"})
    assert found == Images(frozenset(names), unclear)


def test_a_frontend_of_a_build_argument() -> None:
    found = images_of("# syntax=a.example/x\nFROM b", {"BUILDKIT_SYNTAX": "r.example/x"})
    assert found.names == {"r.example/x", "b"}


def admitted(opt: SolveOpt, *hosts: str) -> list[str]:
    admits = admitted_hosts(parse_auth_hosts(["auto"]), opt)
    return [host for host in hosts if admits(host)]


def test_what_the_command_line_names(tmp_path: Path) -> None:
    (tmp_path / "Other").write_text("FROM a.example/x\n")
    opt = SolveOpt(
        frontend="dockerfile.v0",
        frontend_attrs={
            "filename": "Other",
            "context:named": "docker-image://b.example/x",
            "context:folder": "local:x",
            "attest:sbom": "generator=c.example/scan,x=y",
        },
        local_dirs={"dockerfile": str(tmp_path)},
        exports=(
            Export("image", {"name": "d.example/x,e.example/y:1"}),
            Export("oci", {"name": "never.example/x"}, FileDestination("x.tar")),
        ),
        cache_exports=(CacheEntry("registry", {"ref": "f.example/c"}),),
        cache_imports=(CacheEntry("registry", {"ref": "g.example:5000/c"}), CacheEntry("gha", {})),
        source_policy=policy("docker-image://h.example/x"),
    )
    hosts = [f"{letter}.example" for letter in "abcdef"] + ["g.example:5000", "h.example"]
    assert admitted(opt, *hosts, "never.example", "docker.io", "g.example") == hosts


def policy(identifier: str) -> bytes:
    message = Policy()
    message.rules.add().updates.identifier = identifier
    return message.SerializeToString()


def test_what_llb_names() -> None:
    definition = ops_pb2.Definition()
    for identifier in ("docker-image://r.example/a:1", "local://context", "git://g.example/x"):
        op = ops_pb2.Op(source=ops_pb2.SourceOp(identifier=identifier))
        getattr(definition, "def").append(op.SerializeToString())
    getattr(definition, "def").append(b"\xff")
    opt = SolveOpt(definition=definition.SerializeToString())
    assert admitted(opt, "r.example", "g.example", "docker.io") == ["r.example"]


def test_a_frontend_that_is_an_image(tmp_path: Path) -> None:
    opt = SolveOpt(frontend="gateway.v0", frontend_attrs={"source": "r.example/f", "attest:sbom": ""})
    assert admitted(opt, "r.example", "docker.io") == ["r.example", "docker.io"]


@pytest.mark.parametrize("kind", ["missing", "pipe", "unclear", "elsewhere"])
def test_what_cannot_be_told_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    path = tmp_path / "Dockerfile"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "unclear":
        path.write_text("FROM $BASE\n")
    folders = {} if kind == "elsewhere" else {"context": str(tmp_path)}
    with caplog.at_level(logging.WARNING):
        assert admitted(SolveOpt(frontend="dockerfile.v0", local_dirs=folders), "docker.io") == []
    named = {"unclear": "$BASE", "elsewhere": "not in a folder of this build"}.get(kind, str(path))
    (message,) = caplog.messages
    assert named in message
    assert "--registry-auth-hosts=auto" in message
