"""Saved streams read back: what was written comes back, and what is wrong is named with its line."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings

from buildctl.model.status import SolveStatus
from buildctl.progress import saved
from buildctl.progress.rawjson import encode_status
from buildctl.progress.saved import SavedStreamError, decode_status, read_saved
from tests.support import replay
from tests.support.statuses import any_statuses


def read(text: bytes) -> list[SolveStatus]:
    return list(read_saved(io.BytesIO(text), "build.json"))


@pytest.mark.parametrize("name", ["build-rawjson", "build-fail", "build-parallel", "v0.13-build-warnings"])
def test_what_was_recorded_comes_back(name: str) -> None:
    statuses = [status for _, status in replay.load(name).statuses()]
    expected = [
        status._replace(
            warnings=tuple(
                one._replace(source_info=one.source_info and one.source_info._replace(definition=b""))
                for one in status.warnings
            ),
        )
        for status in statuses
    ]
    assert read(b"".join(map(encode_status, statuses))) == expected


def test_what_the_reference_printed_is_read() -> None:
    case = replay.load("build-rawjson")
    assert len(read(case.stderr)) == len(case.statuses())


@settings(deadline=None, max_examples=25)
@given(any_statuses)
def test_whatever_is_written_is_read(statuses: list[SolveStatus]) -> None:
    lines = [line for line in map(encode_status, statuses) if line]
    for line in lines:
        status = decode_status(line)
        assert decode_status(encode_status(status)) == status
        # What is not UTF-8 was written as the replacement character's escape, which is as good as itself.
        assert json.loads(encode_status(status)) == json.loads(line)


def test_other_lines_of_standard_error_are_passed_over() -> None:
    text = b'using the Docker Engine\n{"vertexes":[{"digest":"a"}]}\n\nerror: failed to solve: it did\n'
    (status,) = read(text)
    assert status.vertexes[0].digest == "a"


def test_members_that_are_not_known_are_ignored() -> None:
    (status,) = read(b'{"dropped":12,"logs":null,"vertexes":[{"digest":"a","new":{"x":1}}]}')
    assert status.vertexes[0].digest == "a"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"vertexes":]', "not JSON: expecting value at column 13"),
        (b'{"vertexes":{}}', "vertexes is not a list"),
        (b'{"vertexes":[1]}', "vertexes is not made of objects"),
        (b'{"vertexes":[{"digest":7}]}', "digest is not a string"),
        (b'{"vertexes":[{"inputs":[null]}]}', "inputs is not a string"),
        (b'{"vertexes":[{"cached":"yes"}]}', "cached is neither true nor false"),
        (b'{"vertexes":[{"started":"noon"}]}', "started is not an instant of RFC 3339"),
        (b'{"vertexes":[{"started":5}]}', "started is not an instant of RFC 3339"),
        (b'{"vertexes":[{"progressGroup":[]}]}', "progressGroup is not made of objects"),
        (b'{"statuses":[{"current":1.5}]}', "current is not an integer of 64 bits"),
        (b'{"statuses":[{"current":true}]}', "current is not an integer of 64 bits"),
        (b'{"statuses":[{"total":9223372036854775808}]}', "total is not an integer of 64 bits"),
        (b'{"statuses":[{"total":1' + b"0" * 5000 + b"}]}", "a number with too many digits"),
        (b'{"logs":[{"data":"!"}]}', "data is not in base64"),
        (b'{"warnings":[{"range":[{"start":3}]}]}', "start is not made of objects"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":"\xff"}', "not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(line: bytes, why: str) -> None:
    with pytest.raises(SavedStreamError) as caught:
        read(b"{}\n" + line + b"\n{}\n")
    assert str(caught.value) == f"build.json: line 2: {why}"
    assert caught.value.hint


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "LINE_LIMIT", 1 << 20)
    with pytest.raises(SavedStreamError, match="^build.json: line 1: longer than 1 MiB$"):
        read(b'{"a":"' + b"x" * (1 << 20))


@pytest.mark.parametrize(
    ("text", "lines"), [(b"", "0 lines"), (b"FROM x\n", "1 line"), (b"\x00\n\n", "2 lines")]
)
def test_a_file_that_holds_no_build(text: bytes, lines: str) -> None:
    with pytest.raises(SavedStreamError, match=f"^build.json: no message of a build in {lines}$"):
        read(text)
