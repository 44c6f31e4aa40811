"""`doctor` on real BuildKits, and where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import run

pytestmark = pytest.mark.daemon


def test_doctor(engine: Engine, tmp_path: Path) -> None:
    ran = run("--addr", f"docker://{engine.socket}", "doctor", "--format", "json", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (0, "")
    found = {(one["area"], one["name"]): one for one in json.loads(ran.stdout)}
    assert found["daemon", "clock"]["verdict"] == "ok"
    assert found["daemon", "clock"]["value"] == "the same as this machine's"
    assert "linux/amd64" in found["daemon", "platforms"]["value"]
    assert found["daemon", "version"]["verdict"] == ("warning" if engine.buildkit == "0.8" else "ok")
    shown = run("--addr", f"docker://{engine.socket}", "doctor", cwd=tmp_path)
    assert shown.stdout.startswith("DAEMON\n")
    assert "\nREGISTRY\n" in shown.stdout


def test_a_wrong_clock(engine_26: Engine, tmp_path: Path) -> None:
    from tests.support.packages import libfaketime

    library = str(libfaketime())
    variables = {"LD_PRELOAD": library, "FAKETIME": "-90s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    ran = run("--addr", f"docker://{engine_26.socket}", "doctor", cwd=tmp_path, variables=variables)
    assert " s from this machine's" in ran.stdout
    assert "let both machines ask a time server" in ran.stdout
