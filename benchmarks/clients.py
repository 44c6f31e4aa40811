"""The two clients, as command lines that do the same work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.pairs import Command
from tests.support import packages

PROJECT = Path(__file__).parents[1]

# What pip installs for the project's entry point.
_SCRIPT = """\
import sys
from buildctl.__main__ import entry
sys.exit(entry())
"""


@dataclass(frozen=True, slots=True)
class Build:
    """A build that both clients can run; `output` is an exporter's text, or empty for none."""

    context: Path
    dockerfile: Path
    output: str = ""


class Ours:
    """This project's client, run as pip's script would run it, by the python that runs the benchmark."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        script = folder / "buildctl"
        script.write_text(_SCRIPT)
        self.program = (sys.executable, str(script))
        self.env = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT)}

    def command(self, *arguments: str, address: str = "") -> Command:
        where = ("--addr", address) if address else ()
        return Command((*self.program, *where, *arguments), self.env, self._folder, self._folder / "ours.log")

    def python(self, statement: str) -> Command:
        """The interpreter with nothing but a statement."""
        return Command((sys.executable, "-c", statement), self.env, self._folder, self._folder / "python.log")

    def build(self, build: Build, address: str) -> Command:
        arguments = ["build", "--progress=plain", "--frontend=dockerfile.v0"]
        arguments += [f"--local=context={build.context}", f"--local=dockerfile={build.dockerfile}"]
        if build.output:
            arguments.append(f"--output={build.output}")
        return self.command(*arguments, address=address)


class Peer:
    """Debian 13's docker-buildx, with a configuration folder of its own and a builder for each socket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = str(packages.buildx())
        config = folder / "buildx"
        config.mkdir()
        self._env = {
            "HOME": str(folder),
            "PATH": "/usr/bin:/bin",
            "BUILDX_CONFIG": str(config),
            "DOCKER_CONFIG": str(config),
        }
        self._builders: dict[Path, str] = {}

    @property
    def version(self) -> str:
        said = subprocess.run(
            [self._program, "version"], capture_output=True, text=True, check=True, env=self._env
        )
        return said.stdout.split()[-1]

    def command(self, *arguments: str, socket: Path | None = None) -> Command:
        where = ("--builder", self._builder(socket)) if socket else ()
        return Command(
            (self._program, *arguments, *where), self._env, self._folder, self._folder / "peer.log"
        )

    def build(self, build: Build, socket: Path) -> Command:
        return self.command(*_peer_arguments(build), socket=socket)

    def build_in_engine(self, build: Build, engine: Path) -> Command:
        """The same by the driver `docker`, which talks to the engine's own socket."""
        command = self.command(*_peer_arguments(build))
        return replace(command, env={**command.env, "DOCKER_HOST": f"unix://{engine}"})

    def _builder(self, socket: Path) -> str:
        """The builder for a socket, made when it is first asked for."""
        if socket not in self._builders:
            name = f"bench{len(self._builders)}"
            argv = [self._program, "create", "--name", name, "--driver", "remote", f"unix://{socket}"]
            subprocess.run(argv, check=True, capture_output=True, env=self._env)
            self._builders[socket] = name
        return self._builders[socket]


def _peer_arguments(build: Build) -> list[str]:
    arguments = ["build", "--progress=plain", "--provenance=false"]
    arguments += ["--file", str(build.dockerfile / "Dockerfile")]
    if build.output:
        arguments += ["--output", build.output]
    return [*arguments, str(build.context)]
