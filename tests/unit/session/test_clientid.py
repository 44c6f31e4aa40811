"""The client's id: made once, kept for the user alone, and replaced where it cannot be kept."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from buildctl.cli.build_inputs import content_records
from buildctl.errors import UsageError
from buildctl.session.clientid import client_id
from buildctl.session.statefolder import transfer_records
from tests.support.program import ROOT

KEPT = re.compile(r"[0-9a-z]{25} ")


def test_it_is_made_once(tmp_path: Path) -> None:
    variables = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    first = client_id(variables)
    assert KEPT.match(first)
    assert client_id(variables) == first
    kept = tmp_path / "state/buildctl/client-id"
    assert kept.read_text() == first[:25] + "\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert os.listdir(kept.parent) == ["client-id"]


def test_without_xdg_it_is_below_home(tmp_path: Path) -> None:
    first = client_id({"HOME": str(tmp_path), "XDG_STATE_HOME": "not/absolute"})
    assert (tmp_path / ".local/state/buildctl/client-id").read_text().strip() == first[:25]


@pytest.mark.parametrize("home", ["nonexistent", "nonexistent/deeper", "file"])
def test_a_home_that_is_not_there_is_not_made(home: str, tmp_path: Path) -> None:
    """Which root could do. A user without a home has `/nonexistent`."""
    (tmp_path / "file").write_text("")
    variables = {"HOME": str(tmp_path / home)}
    assert client_id(variables).startswith(os.uname().nodename)
    assert transfer_records(variables) == ""
    with pytest.raises(UsageError, match="no place for digests"):
        content_records(variables)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("text", ["", "x", "a" * 26, "A" * 25, "é" * 25])
def test_a_damaged_file_is_replaced(text: str, tmp_path: Path) -> None:
    kept = tmp_path / "buildctl/client-id"
    kept.parent.mkdir()
    kept.write_text(text)
    variables = {"XDG_STATE_HOME": str(tmp_path)}
    first = client_id(variables)
    assert KEPT.match(first)
    assert client_id(variables) == first


def test_processes_that_begin_together_agree(tmp_path: Path) -> None:
    variables = {"XDG_STATE_HOME": str(tmp_path)}
    script = f"from buildctl.session.clientid import client_id; print(client_id({variables}))"
    running = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) for _ in range(6)
    ]
    said = {process.communicate()[0] for process in running}
    assert len(said) == 1
    assert os.listdir(tmp_path / "buildctl") == ["client-id"]


def test_where_it_cannot_be_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.DEBUG, "buildctl"):
        first = client_id({"XDG_STATE_HOME": str(tmp_path / "file")})
    assert first == client_id({})
    assert not KEPT.match(first)
    (record,) = (record for record in caplog.records if "Not a directory" in record.getMessage())
    assert record.levelno == logging.DEBUG
