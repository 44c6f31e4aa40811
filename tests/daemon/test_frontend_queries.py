"""`check`, `outline` and `targets` on real BuildKits, also on those that do not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import run

pytestmark = pytest.mark.daemon

DOCKERFILE = "ARG V=1\nFROM scratch AS base\nARG V\nFROM base AS app\nRUN --mount=type=secret,id=tok x\n"


def test_outline_and_targets(engine_26: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    at = ("--addr", f"docker://{engine_26.socket}")
    told = json.loads(run(*at, "outline", "--format", "json", cwd=tmp_path).stdout)
    assert [secret["name"] for secret in told["secrets"]] == ["tok"]
    shown = run(*at, "targets", ".", cwd=tmp_path)
    assert (shown.exit, shown.stderr) == (0, "")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["TARGET", "base", "app"]
    (tmp_path / "Dockerfile").write_text("FROM scratch\nFOO\n")
    wrong = run(*at, "outline", cwd=tmp_path)
    assert wrong.exit == 1
    assert "unknown instruction: FOO" in wrong.stderr


def test_daemons_that_do_not_answer(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    ran = run("--addr", f"docker://{engine.socket}", "check", cwd=tmp_path)
    assert (ran.exit, ran.stdout) == (1, "")
    assert ran.stderr == "error: the daemon's Dockerfile frontend does not answer frontend.lint\n"
