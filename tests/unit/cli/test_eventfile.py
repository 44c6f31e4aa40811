"""`--events` and `--log-dir`: where they may go, and readers and disks that fail."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from buildctl.cli.eventfile import EventFile, open_events, refuse_stdout
from buildctl.cli.logfolder import LogFolder
from buildctl.errors import BuildctlError, UsageError
from buildctl.model.solve import Export, SolveOpt, StdoutDestination
from tests.support.program import environment
from tests.support.statuses import log, merged, vertex


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def inherited(path: Path) -> int:
    """A descriptor as a shell hands it on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.set_inheritable(descriptor, True)
    return descriptor


def test_a_file_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_text("old")
    file = open_events(str(path), 1)
    file.begin("ref", 0)
    file.update(merged(vertex("a", 0), log("a", b"text")))
    file.end(b'{"event":"result"}\n')
    assert [event["event"] for event in events(path.read_text())] == ["start", "step", "log", "result"]


def test_a_descriptor(tmp_path: Path) -> None:
    descriptor = inherited(tmp_path / "events")
    file = open_events(f"fd:{descriptor}", 1)
    file.end(b"{}\n")
    assert (tmp_path / "events").read_bytes() == b"{}\n"
    os.close(descriptor)


@pytest.mark.parametrize("target", ["fd:", "fd:x", "fd:-1", "fd:1000", "fd:99999999999"])
def test_a_descriptor_that_is_not_there(target: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_events(target, 1)
    assert "--events" in str(caught.value) + caught.value.hint


def test_a_descriptor_that_is_only_read_or_is_our_own(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    with pytest.raises(UsageError, match="bad file descriptor"):
        open_events(f"fd:{descriptor}", 1)
    os.set_inheritable(descriptor, True)
    with pytest.raises(UsageError, match="not open for writing"):
        open_events(f"fd:{descriptor}", 1)
    os.close(descriptor)


def test_a_named_pipe_without_a_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BuildctlError, match="no such device"):
        open_events(str(tmp_path / "pipe"), 1)


def test_standard_output_is_for_one(tmp_path: Path) -> None:
    descriptor = inherited(tmp_path / "out")
    file = open_events("-", descriptor)
    refuse_stdout(file, SolveOpt(), descriptor)
    with pytest.raises(UsageError, match="standard output"):
        refuse_stdout(file, SolveOpt(exports=(Export("tar", {}, StdoutDestination()),)), descriptor)
    os.close(descriptor)


def test_a_reader_that_stalls_loses_what_is_too_much_and_is_told() -> None:
    source, sink = os.pipe()
    file = EventFile("pipe", sink, limit=10_000)
    began = time.monotonic()
    for number in range(5000):
        file.update(log("a", b"%d" % number))
    assert time.monotonic() - began < 5

    said: list[bytes] = []

    def read_all() -> None:
        while data := os.read(source, 65536):
            said.append(data)

    reader = threading.Thread(target=read_all)
    reader.start()
    file.end(b'{"event":"result"}\n')
    os.close(sink)
    reader.join(10)
    os.close(source)
    lines = events(b"".join(said).decode())
    dropped = [line["events"] for line in lines if line["event"] == "dropped"]
    logs = [line for line in lines if line["event"] == "log"]
    assert dropped
    assert sum(map(int, map(str, dropped))) + len(logs) == 5000
    assert lines[-1]["event"] == "result"


def test_a_reader_that_never_reads_is_left(caplog: pytest.LogCaptureFixture) -> None:
    source, sink = os.pipe()
    file = EventFile("pipe", sink)
    file.update(log("a", b"x" * 200_000))
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        logging.getLogger("buildctl").propagate = True
        file.end(b"{}\n")
    assert 1.5 < time.monotonic() - began < 10
    assert "nobody reads" in caplog.text
    os.close(source)


@pytest.mark.parametrize("gone", ["disk", "reader"])
def test_what_cannot_be_written_is_one_warning(gone: str, caplog: pytest.LogCaptureFixture) -> None:
    if gone == "disk":
        sink = os.open("/dev/full", os.O_WRONLY)
    else:
        source, sink = os.pipe()
        os.close(source)
    file = EventFile("there", sink)
    for _ in range(3):
        file.update(log("a", b"text"))
        time.sleep(0.01)
    logging.getLogger("buildctl").propagate = True
    file.end(b"{}\n")
    os.close(sink)
    (record,) = caplog.records
    assert "write there: " in record.getMessage()


def test_a_folder_of_logs(tmp_path: Path) -> None:
    folder = LogFolder(str(tmp_path / "logs" / "all"), "abcdefghijkl", 0)
    assert folder.path == str(tmp_path / "logs/all/1970-01-01T00-00-00Z-abcdefgh")
    folder.update(vertex("a", 0, name="[build 2/3] RUN make ../../x \x1b[2J"))
    folder.update(merged(vertex("b", name="\u202e"), log("b", b"\xff\x00raw"), log("a", b"one\r")))
    folder.update(merged(log("a", b"two\n"), log("never named", b"x")))
    folder.events.end(b"{}\n")
    folder.close()
    path = Path(folder.path)
    assert {file.name: file.read_bytes() for file in path.glob("*.log")} == {
        "001-build-2-3-run-make-x-2j.log": b"one\rtwo\n",
        "002.log": b"\xff\x00raw",
        "003.log": b"x",
    }
    assert len((path / "events.jsonl").read_text().splitlines()) == 7
    assert {stat.S_IMODE(made.stat().st_mode) for made in (path, path.parent, path.parent.parent)} == {0o700}
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BuildctlError, match="mkdir .*: not a directory"):
        LogFolder(str(tmp_path / "file"), "ref", 0)


def test_logs_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = LogFolder(str(tmp_path), "ref", 0)
    os.symlink("/dev/full", Path(folder.path) / "001-a.log")  # a link is not followed
    folder.update(merged(vertex("a", 0, name="a"), log("a", b"text")))
    logging.getLogger("buildctl").propagate = True
    folder.close()
    (record,) = caplog.records
    assert "logs are missing: write " in record.getMessage()
    folder.events.end(b"{}\n")


@pytest.mark.parametrize("flag", ["--no-such=1", "--output=type=tar,dest=/"])
def test_a_mistake_ends_with_a_result_where_it_can(flag: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "buildctl", "build", "--frontend=x", "--events=events", flag]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True)
    assert ran.returncode == 1
    if flag == "--no-such=1":
        assert not (tmp_path / "events").exists()
        return
    (event,) = events((tmp_path / "events").read_text())
    assert (event["event"], event["success"], event["exit_code"]) == ("result", False, 1)
