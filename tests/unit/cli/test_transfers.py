"""What is said of a build's local directories at its end."""

from __future__ import annotations

import os
from pathlib import Path

from buildctl.cli.environment import Environment
from buildctl.cli.output import Output
from buildctl.cli.recordings import Recordings
from buildctl.cli.transfers import warnings
from buildctl.model.transfer import Transfer


def of(name: str, *unreadable: str) -> Transfer:
    return Transfer(name, 1, 1, 1, 0, 0, 0, began=0.0, took=0.1, unreadable=unreadable)


def test_times_that_do_not_fit_are_named() -> None:
    odd = of("context")._replace(odd_times=("late", "early"))
    assert warnings([odd, of("context")], "error") == [
        "warning: context: 2 paths have times before 1677 or after 2262, which BuildKit cannot express "
        'and the build gets as another time: "late", "early"\n'
    ]


def test_an_ignore_file_that_is_not_sent_is_told_once() -> None:
    lost = of("context")._replace(lost_ignore_files=((".dockerignore", "../rules"),))
    assert warnings([lost, of("context"), lost], "error") == [
        'warning: context: .dockerignore is a link to "../rules", and in what is sent of the folder '
        "no file is there: its rules have no effect\n"
    ]


def test_nothing_to_say() -> None:
    assert warnings([of("context"), of("dockerfile")], "skip") == []


def test_one_path() -> None:
    expected = 'warning: context: 1 path could not be read and was left out: "a\\n\\x1b[31m"\n'
    assert warnings([of("context", "a\n\x1b[31m")], "skip") == [expected]


def test_many_paths_are_counted_and_few_are_shown() -> None:
    seen = [of("context", *(f"f{number}" for number in range(1_200))), of("dockerfile", "x", "y")]
    first, second = warnings(seen, "empty")
    assert first.startswith('warning: context: 1,200 paths could not be read and were sent empty: "f0", ')
    assert first.endswith('"f4", ...\n')
    assert second == 'warning: dockerfile: 2 paths could not be read and were sent empty: "x", "y"\n'


def test_two_transfers_of_one_directory_count_once() -> None:
    (line,) = warnings([of("context", "a"), of("context", "a", "b")], "skip")
    assert line.endswith(': "a", "b"\n')


def test_they_are_written_at_the_end(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w+b") as err:
        recordings = Recordings(Output(Environment(stderr=err.fileno())), trace="", metrics="")
        recordings.note_transfer(of("context", "a"))
        assert os.fstat(err.fileno()).st_size == 0
        recordings.report("skip")
    assert (tmp_path / "err").read_text().startswith("warning: context: 1 path could not be read")


def test_uniform_times_are_said_once() -> None:
    uniform = of("context")._replace(uniform_times=True)
    (line,) = warnings([uniform, of("dockerfile"), uniform], "error")
    assert line.startswith("warning: context: all files have one and the same time")
    assert "--context-check=content" in line
