"""What completion scripts are told by a real BuildKit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import program
from tests.support.engines import Engine

pytestmark = pytest.mark.daemon


def asked(engine: Engine, kind: str, cwd: Path) -> list[str]:
    """The answers; a machine that is busy may miss the 300 ms a few times."""
    for _ in range(10):
        ran = program.run("--addr", f"docker://{engine.socket}", "__complete", kind, cwd=cwd)
        if ran.exit == 0:
            return ran.stdout.splitlines()
    raise AssertionError(ran.stderr)


def test_refs_and_workers(engine_26: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    address = ("--addr", f"docker://{engine_26.socket}")
    build = ("build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.")
    assert program.run(*address, *build, "--ref-file", "ref", cwd=tmp_path).exit == 0
    listed = program.run(*address, "debug", "workers", cwd=tmp_path).stdout.splitlines()
    assert asked(engine_26, "workers", tmp_path) == [line.split()[0] for line in listed[1:]]
    assert (tmp_path / "ref").read_text() in asked(engine_26, "refs", tmp_path)
