"""Events of a build: every line is what docs/events.schema.json says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings

from buildctl.errors import BuildctlError, Code, SolveError, SourceExcerpt
from buildctl.model.solve import SolveResult
from buildctl.model.status import Position, Range, SolveStatus, SourceInfo, VertexLog, VertexWarning
from buildctl.model.transfer import Transfer
from buildctl.progress.events import (
    encode_dropped,
    encode_events,
    encode_failure,
    encode_start,
    encode_success,
    encode_transfer,
)
from tests.support.statuses import any_statuses, vertex

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "events.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TRANSFER = Transfer("context", 3, 1, 4, 2, 2, 100, 0.0, 0.25, unreadable=("a",))


def read(line: bytes) -> dict[str, object]:
    """The event, which the schema admits."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    event: dict[str, object] = json.loads(line)
    VALIDATOR.validate(event)
    return event


@given(any_statuses)
@settings(max_examples=40, deadline=None)
def test_whatever_a_daemon_says_is_in_the_schema(statuses: list[SolveStatus]) -> None:
    for status in statuses:
        lines = list(map(read, encode_events(status)))
        said = (status.vertexes, status.statuses, status.logs, status.warnings)
        assert len(lines) == sum(map(len, said))


def test_the_schema_refuses_what_is_no_event() -> None:
    for wrong in ({"event": "other"}, {"event": "log", "step": "a", "stream": 1, "time": None}):
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate(wrong)


def test_a_step() -> None:
    (event,) = map(read, encode_events(vertex("sha256:a", 0, 1.5, name="RUN a", inputs=("sha256:b",))))
    assert event == {
        "event": "step",
        "step": "sha256:a",
        "name": "RUN a",
        "inputs": ["sha256:b"],
        "cached": False,
        "started": "1970-01-01T00:00:00Z",
        "completed": "1970-01-01T00:00:01.5Z",
        "error": "",
        "group": None,
    }


def test_logs_are_text_where_they_can_be() -> None:
    status = SolveStatus(logs=(VertexLog("a", b"\xc3\xa4\n"), VertexLog("a", b"\xff", 2)))
    text, raw = map(read, encode_events(status))
    assert text["text"] == "ä\n"
    assert (raw["base64"], raw["stream"]) == ("/w==", 2)


def test_a_warning_has_its_places() -> None:
    warning = VertexWarning(
        "a",
        b"careful",
        1,
        (b"more",),
        source_info=SourceInfo("Dockerfile", b""),
        ranges=(Range(Position(2), Position(4)), Range(Position(3), Position(0))),
    )
    (event,) = map(read, encode_events(SolveStatus(warnings=(warning,))))
    assert event["places"] == [
        {"file": "Dockerfile", "first_line": 2, "last_line": 4},
        {"file": "Dockerfile", "first_line": 3, "last_line": 3},
    ]


def test_start_transfer_and_dropped() -> None:
    assert read(encode_start("ref", 0))["version"] == 1
    assert read(encode_transfer(TRANSFER))["unreadable"] == ["a"]
    assert read(encode_dropped(3)) == {"event": "dropped", "events": 3}


def test_success() -> None:
    result = SolveResult("ref", transfers=(TRANSFER,))
    response = {"containerimage.digest": "sha256:a", "x": "y"}
    event = read(encode_success(result, began_ns=0, now_ns=1_500_000_000, exporter_response=response))
    assert (event["success"], event["exit_code"], event["seconds"]) == (True, 0, 1.5)
    assert (event["digest"], event["exporter_response"]) == ("sha256:a", response)


def test_failure() -> None:
    excerpt = SourceExcerpt("Dockerfile", b"", ((3, 4),))
    error = SolveError("failed with pass", code=Code.NOT_FOUND, excerpts=[excerpt], hint="pass?")

    def mask(text: str) -> str:
        return text.replace("pass", "***")

    event = read(encode_failure(error, "ref", canceled=False, began_ns=0, now_ns=0, mask=mask))
    assert (event["success"], event["exit_code"]) == (False, 1)
    assert event["error"] == {
        "code": "NotFound",
        "message": "failed with ***",
        "hint": "***?",
        "places": [{"file": "Dockerfile", "first_line": 3, "last_line": 4}],
    }


@pytest.mark.parametrize(
    ("error", "canceled", "code", "message"),
    [
        (BuildctlError("gone"), True, "Canceled", "gone"),
        (BuildctlError("gone"), False, "Unknown", "gone"),
        (KeyboardInterrupt(), False, "Unknown", "KeyboardInterrupt"),
    ],
)
def test_other_ends(error: BaseException, canceled: bool, code: str, message: str) -> None:
    event = read(encode_failure(error, "", canceled=canceled, began_ns=0, now_ns=0))
    said = event["error"]
    assert isinstance(said, dict)
    assert (said["code"], said["message"]) == (code, message)
