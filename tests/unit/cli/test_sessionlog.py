"""`--session-log`: lines of JSON in a file of the user's own, bounded."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from buildctl.cli.environment import Environment
from buildctl.cli.outfile import open_file
from buildctl.cli.output import Output
from buildctl.cli.recordings import Recordings
from buildctl.cli.sessionlog import SessionLog
from buildctl.model.sessionrequest import SessionRequest

PATH = SessionRequest("s", "m", {"path": "a\udcff\n"}, "requested", sent_bytes=7)


async def test_builds_append_their_requests(tmp_path: Path) -> None:
    file = tmp_path / "log"
    for ref in ("one", "two"):
        recordings = Recordings(Output(Environment()), trace="", metrics="", session_log=str(file))
        async with recordings:
            note = recordings.request_sink(ref)
            assert note is not None
            note(PATH)
    one, two = map(json.loads, file.read_text().splitlines())
    assert one.pop("time") <= two.pop("time")
    common = {"service": "s", "method": "m", "asked": PATH.asked, "outcome": "requested", "sent_bytes": 7}
    assert (one, two) == ({"ref": "one", **common}, {"ref": "two", **common})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_told_where_nobody_asks() -> None:
    assert Recordings(Output(Environment()), trace="", metrics="").request_sink("ref") is None


async def test_a_daemon_cannot_fill_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = SessionLog(str(file), open_file(str(file), 0), lambda: 0, max_bytes=1000)
    async with log:
        for _ in range(1000):
            log.note("ref", PATH)
    *lines, last = map(json.loads, file.read_text().splitlines())
    assert 5 < len(lines) < 10
    assert last == {"ref": "ref", "outcome": "the log is full"}
