"""The JSON lines: names, order, omissions and escapes of Go's encoding/json."""

from __future__ import annotations

import json

from hypothesis import given, settings

from buildctl._pb import ops_pb2
from buildctl.model.status import (
    Position,
    ProgressGroup,
    Range,
    SolveStatus,
    SourceInfo,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from buildctl.progress.rawjson import RawJSONRenderer, encode_status
from tests.support.statuses import any_statuses

NOON = 1_795_348_800_000_000_000  # 2026-11-22T12:00:00Z


def line(status: SolveStatus) -> str:
    return encode_status(status).decode()


def test_nothing_is_an_empty_object() -> None:
    assert line(SolveStatus()) == "{}\n"


def test_vertexes() -> None:
    full = Vertex("d", "n", ("i", "j"), True, NOON, NOON + 1, "e", ProgressGroup("g", "gn", weak=True))
    assert line(SolveStatus(vertexes=(full, Vertex("x", progress_group=ProgressGroup("", ""))))) == (
        '{"vertexes":[{"digest":"d","inputs":["i","j"],"name":"n","started":"2026-11-22T12:00:00Z",'
        '"completed":"2026-11-22T12:00:00.000000001Z","cached":true,"error":"e",'
        '"progressGroup":{"id":"g","name":"gn","weak":true}},{"digest":"x","progressGroup":{}}]}\n'
    )


def test_counters() -> None:
    full = VertexStatus("id", "v", "n", 1, 2, NOON, NOON + 120_000_000, NOON + 10**9)
    assert line(SolveStatus(statuses=(full, VertexStatus("", "")))) == (
        '{"statuses":[{"id":"id","vertex":"v","name":"n","total":2,"current":1,'
        '"timestamp":"2026-11-22T12:00:00Z","started":"2026-11-22T12:00:00.12Z",'
        '"completed":"2026-11-22T12:00:01Z"},{"id":"","current":0,"timestamp":"1970-01-01T00:00:00Z"}]}\n'
    )


def test_logs() -> None:
    logs = VertexLog("v", b"\xff\n", 2, NOON), VertexLog("v", b"", 0, -1)
    assert line(SolveStatus(logs=logs)) == (
        '{"logs":[{"vertex":"v","stream":2,"data":"/wo=","timestamp":"2026-11-22T12:00:00Z"},'
        '{"vertex":"v","data":"","timestamp":"1969-12-31T23:59:59.999999999Z"}]}\n'
    )


def test_warnings() -> None:
    definition = ops_pb2.Definition()
    getattr(definition, "def").append(b"op")
    definition.metadata["sha256:b"].caps["source.local"] = True
    definition.metadata["sha256:b"].description["k"] = "<"
    definition.metadata["sha256:b"].export_cache.SetInParent()
    definition.metadata["sha256:a"].ignore_cache = True
    location = definition.Source.locations["sha256:a"].locations.add(sourceIndex=1)
    location.ranges.add().start.line = 3
    info = SourceInfo("Dockerfile", b"FROM x", "Dockerfile", definition.SerializeToString())
    full = VertexWarning("v", b"s", 1, (b"d",), "u", info, (Range(Position(1), Position(2, 3)),))
    assert line(SolveStatus(warnings=(full, VertexWarning("w", b"", source_info=SourceInfo("", b""))))) == (
        '{"warnings":[{"vertex":"v","level":1,"short":"cw==","detail":["ZA=="],"url":"u",'
        '"sourceInfo":{"filename":"Dockerfile","data":"RlJPTSB4","definition":{"def":["b3A="],"metadata":'
        '{"sha256:a":{"ignore_cache":true},"sha256:b":{"description":{"k":"\\u003c"},"export_cache":{},'
        '"caps":{"source.local":true}}},"Source":{"locations":{"sha256:a":{"locations":[{"sourceIndex":1,'
        '"ranges":[{"start":{"line":3}}]}]}}}},"language":"Dockerfile"},'
        '"range":[{"start":{"line":1},"end":{"line":2,"character":3}}]},{"vertex":"w","sourceInfo":{}}]}\n'
    )


def test_escapes() -> None:
    name = '<a>&"\\\u2028\u2029\x01\n\t\x7fé😀'
    assert line(SolveStatus(vertexes=(Vertex(name),))) == (
        r'{"vertexes":[{"digest":"\u003ca\u003e\u0026\"\\\u2028\u2029\u0001\n\t' + '\x7fé😀"}]}\n'
    )


def test_an_instant_that_cannot_be_said_silences_its_message() -> None:
    assert line(SolveStatus(vertexes=(Vertex("a", started_ns=10**21),))) == ""


@settings(max_examples=30, deadline=None)
@given(any_statuses)
def test_anything_becomes_json(statuses: list[SolveStatus]) -> None:
    renderer = RawJSONRenderer()
    for status in statuses:
        said = json.loads(renderer.absorb(status, 0))
        assert [vertex.get("digest", "") for vertex in said.get("vertexes", [])] == [
            vertex.digest for vertex in status.vertexes
        ]
    assert renderer.render(0) == renderer.finish(0) == b""


@settings(max_examples=25, deadline=None)
@given(any_statuses)
def test_a_terminal_gets_the_same_values_in_characters_that_are_seen(statuses: list[SolveStatus]) -> None:
    for status in statuses:
        exact = RawJSONRenderer().absorb(status, 0)
        shown = RawJSONRenderer(on_terminal=True).absorb(status, 0)
        assert shown.decode().removesuffix("\n").isprintable()
        assert exact == shown == b"" or json.loads(exact) == json.loads(shown)


def test_nothing_that_a_terminal_might_obey_is_written_to_one() -> None:
    name = "\x9b2J \x9d0;t\x9c \u202egnp\u2066 \u200b\x7f\x1b[2J \U000e0041 日本語 🚀 é"
    status = SolveStatus(vertexes=(Vertex("d", name),))
    assert RawJSONRenderer(on_terminal=True).absorb(status, 0).decode() == (
        '{"vertexes":[{"digest":"d","name":"\\u009b2J \\u009d0;t\\u009c \\u202egnp\\u2066 \\u200b\\u007f'
        '\\u001b[2J \\udb40\\udc41 日本語 🚀 é"}]}\n'
    )
    assert RawJSONRenderer().absorb(status, 0) == encode_status(status)
