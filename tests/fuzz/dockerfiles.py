"""Any Dockerfile is a set of names of images, found in bounded time, each of a registry."""

from __future__ import annotations

from buildctl.cli.dockerfile import images_of
from buildctl.model.imagename import registry_of
from tests.fuzz.driver import Harness, words


def check(data: bytes) -> str:
    found = images_of(data.decode("utf-8", "replace"), {"A": "r.example/a", "EMPTY": ""})
    for name in found.names:
        assert name
        assert "\0" not in name
        host = registry_of(name)
        assert host == registry_of(f"{host}/x") or not any(one in host for one in ".:")
    return f"{len(found.names)} {len(found.unclear)}"


HARNESS = Harness(
    "dockerfiles",
    check,
    lambda: [
        b"# syntax=docker/dockerfile:1\nARG R=r.example\nFROM --platform=$P ${R:-x}/a:${T} AS b\nFROM b\n",
        b"# escape=`\nFROM `\n a\nCOPY --from=r.example/b / /\nRUN --mount=type=bind,from=c `\n ls\n",
        b'ARG A B="c d" C=${B}\nFROM $A\nONBUILD ADD --from=0 / /\n',
    ],
    words=words(
        r"FROM ARG COPY ADD RUN ONBUILD AS --from= --mount=from= --platform= ${A} ${A:-b} ${A:+ ${ $EMPTY "
        r"\ ` # // syntax= escape= scratch localhost/x r.example:5000/a@sha256:0 ' = :- }",
        *(b"\n", b"\r\n", b" " * 2000, b"${a:-" * 300, b"\xef\xbb\xbf", b"\xff", b"\0", b'"'),
    ),
)
