"""A running shell of each kind, in a folder with something to complete; its PATH tells what was run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.debian import UnavailableError
from tests.support.shells import Bash, Fish, Shell, Zsh, install_shared_data

DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG VERSION="1 FROM x AS y" BASE=busybox
FROM ${BASE} AS compiler
ARG token
RUN echo AS nothing
from --platform=$BUILDPLATFORM compiler as Final
ARG VERSION
FROM scratch
"""

RECORDER = """\
#!/bin/sh
echo "$0 $*" >> {log}
case "$*" in
    *"__complete refs") printf '%s\\n' pwxhhv1x2y9r zk3n0b6gmq4t ;;
    *"__complete workers") echo l4nhpfnzql9o ;;
esac
"""


@dataclass
class Desk:
    """A shell, and what was run from it."""

    shell: Shell
    log: Path

    def runs(self) -> list[str]:
        """The command lines of Python and buildctl so far, without the folder they are in; forgets them."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.rpartition(f"{self.log.parent}/")[2] for line in lines]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shells are: a context with a Dockerfile and another one elsewhere."""
    folder = tmp_path_factory.mktemp("context")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "docker").mkdir()
    (folder / "docker" / "release.Dockerfile").write_text("FROM scratch AS release\nARG CHANNEL=stable\n")
    (folder / "src").mkdir()
    (folder / "src" / "main.c").touch()
    (folder / "secret.txt").touch()
    (folder / "build.llb").touch()
    return folder


@pytest.fixture(scope="session", params=[Bash, Zsh, Fish], ids=["bash", "zsh", "fish"])
def desk(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """Each shell in turn."""
    prefix, home, programs = (tmp_path_factory.mktemp(name) for name in ("prefix", "home", "programs"))
    install_shared_data(prefix)
    for name in ("buildctl", "python", "python3"):
        program = programs / name
        program.write_text(RECORDER.format(log=programs / "log"))
        program.chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home)}
    try:
        shell = request.param(environment, folder, prefix, home)
    except UnavailableError as missing:
        pytest.skip(str(missing))
    with shell:
        yield Desk(shell, programs / "log")
