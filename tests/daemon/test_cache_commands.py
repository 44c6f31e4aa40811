"""`du` and `prune` for people, on real BuildKits: what is estimated is what goes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import run, run_in_terminal

pytestmark = pytest.mark.daemon

DOCKERFILE = (
    'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "touch", "/x"]\nRUN ["/busybox", "touch", "/y"]\n'
)
BUILD = ("build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.")


def test_an_estimate_is_what_goes(own_engine: Engine, tmp_path: Path) -> None:
    address = f"docker://{own_engine.socket}"
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    shutil.copy(own_engine.busybox, tmp_path / "busybox")

    def succeed(*arguments: str) -> str:
        ran = run("--addr", address, *arguments, cwd=tmp_path)
        assert ran.exit == 0, ran
        return ran.stdout

    succeed(*BUILD, "--opt", "force-network-mode=none")
    shown = succeed("du", "--sort", "size")
    assert shown.splitlines()[0].split() == ["SIZE", "WHAT", "TYPE", "LAST", "USED", "USED", "STATE", "ID"]
    assert "COPY busybox /" in shown
    assert succeed("du", "--rules", "--top", "1").splitlines()[0].endswith("RULE")
    tree = succeed("du", "--tree").splitlines()
    assert [line.count("  mount / from exec") for line in tree].count(1) == 2

    at_terminal = run_in_terminal("--addr", address, "du", cwd=tmp_path, size=(70, 20)).stdout
    plain = re.sub(r"\x1b\[[0-9;]*m", "", at_terminal)
    assert all(len(line) <= 70 for line in plain.splitlines())
    assert "reclaimable" in plain

    for flags in (("--filter", "type==source.local"), ("--all",)):
        expected = succeed("prune", *flags, "--dry-run", "--format", "{{.ID}}").split()
        assert expected
        assert sorted(succeed("prune", *flags, "--format", "{{.ID}}").split()) == sorted(expected)
    assert succeed("prune", "--dry-run").endswith("would remove 0 of 0 records, 0B (an estimate)\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["du", "--sort", "age"], 'error: invalid --sort "age"\n'),
        (["du", "--group-by", "size"], 'error: invalid --group-by "size"\n'),
        (["du", "--since", "soon"], 'error: invalid time "soon"\n'),
        (
            ["du", "--tree", "--group-by", "type"],
            "error: --tree and --group-by are two ways to show the same: choose one\n",
        ),
    ],
)
def test_typed_wrong(arguments: list[str], message: str, tmp_path: Path) -> None:
    ran = run("--addr", "unix:///nowhere", *arguments, cwd=tmp_path)
    assert (ran.exit, ran.stdout, ran.stderr) == (1, "", message)
