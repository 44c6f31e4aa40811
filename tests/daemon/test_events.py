"""`--events` and `--log-dir` of builds by a real BuildKit."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import jsonschema
import pytest

from tests.support.engines import Engine
from tests.support.program import ROOT, run

pytestmark = pytest.mark.daemon

SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text())


def test_a_build_that_succeeds_and_one_that_fails(engine_26: Engine, tmp_path: Path) -> None:
    shutil.copy(engine_26.busybox, tmp_path / "busybox")
    flags = ["--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=."]
    flags += ["--opt", "force-network-mode=none", "--events=events", "--log-dir=logs", "--progress=quiet"]
    for exit_code in (0, 3):
        steps = ["FROM scratch", "COPY busybox /", 'SHELL ["/busybox", "sh", "-c"]']
        steps += [f"RUN echo {time.time_ns()}; exit {exit_code}", ""]
        (tmp_path / "Dockerfile").write_text("\n".join(steps))
        ran = run("--addr", f"docker://{engine_26.socket}", "build", *flags, cwd=tmp_path)
        assert ran.exit == bool(exit_code), ran.stderr
        text = (tmp_path / "events").read_text()
        events = [json.loads(line) for line in text.splitlines()]
        validator = jsonschema.Draft202012Validator(SCHEMA)
        for event in events:
            validator.validate(event)
        kinds = [event["event"] for event in events]
        assert (kinds[0], kinds[-1]) == ("start", "result")
        assert {"step", "progress", "log", "transfer"} <= set(kinds)
        result = events[-1]
        assert result["ref"] == events[0]["ref"]
        assert (result["success"], result["exit_code"]) == (exit_code == 0, bool(exit_code))
        if exit_code:
            assert result["error"]["places"][0]["first_line"] == 4
            assert result["error"]["message"] in ran.stderr
        kept = re.findall("^logs: (.*)$", ran.stderr, re.MULTILINE)
        assert len(kept) == bool(exit_code), "the path is printed on failure alone"
    folders = sorted((tmp_path / "logs").iterdir())
    assert len(folders) == 2
    (step,) = (file for file in (tmp_path / kept[0]).iterdir() if "run-echo" in file.name)
    assert re.fullmatch(r"\d+\n", step.read_text())
    assert (tmp_path / kept[0] / "events.jsonl").read_text() == text
