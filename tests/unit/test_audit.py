"""The audit of the locked versions fails for weaknesses alone, and says why where there was none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"
WEAK = {"name": "left", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
SOUND = {"name": "right", "version": "2.0", "vulns": []}


@pytest.mark.parametrize(
    ("answer", "exit_", "says"),
    [
        (json.dumps({"dependencies": [WEAK, SOUND]}), 1, "audit: left 1.0: CVE-1, mended in 1.1"),
        (json.dumps({"dependencies": [SOUND]}), 0, "audit: no known weakness in 1 packages"),
        ("", 0, "audit: not done; the service cannot be reached"),
    ],
    ids=["weak", "sound", "no service"],
)
def test_audit(tmp_path: Path, answer: str, exit_: int, says: str) -> None:
    (tmp_path / "pip_audit.py").write_text(f"print({answer!r})\n")
    ran = subprocess.run(
        [sys.executable, AUDIT],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (ran.stdout.strip(), ran.returncode) == (says, exit_), ran.stderr
