"""The conversation with the gateway, with daemons of every age."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from buildctl._pb import caps_pb2, control_pb2, gateway_pb2, ops_pb2
from buildctl.errors import Code
from buildctl.model.solve import SolveOpt
from tests.support.scripted_daemon import GATEWAY_SOLVE, MODERN_CAPS, PING, RETURN, SOLVE, Build, solve_on


async def test_without_a_gateway_solve_names_the_frontend(tmp_path: Path) -> None:
    build = Build()
    build.version = ""
    build.returned.set()
    for path in (PING, GATEWAY_SOLVE, RETURN):
        del build.answers[path]
    result, daemon = await solve_on(build, tmp_path, SolveOpt("f", {"a": "b"}))
    (request,) = map(control_pb2.SolveRequest.FromString, daemon.requests(SOLVE))
    assert (request.Frontend, dict(request.FrontendAttrs)) == ("f", {"a": "b"})
    assert result.exporter_response == {"k": "v"}


async def test_a_daemon_that_says_no_version_is_asked_for_its_gateway(tmp_path: Path) -> None:
    build = Build()
    build.version = ""
    result, daemon = await solve_on(build, tmp_path)
    assert len(daemon.requests(PING)) == 2
    assert control_pb2.SolveRequest.FromString(daemon.requests(SOLVE)[0]).Frontend == ""
    assert result.exporter_response == {"k": "v"}


async def test_without_return_the_last_solve_says_so(tmp_path: Path) -> None:
    build = Build("solve.base", result=gateway_pb2.SolveResponse(ref="r", result=None))
    result, daemon = await solve_on(build, tmp_path)
    first, last = map(gateway_pb2.SolveRequest.FromString, daemon.requests(GATEWAY_SOLVE))
    assert (first.Frontend, first.ExporterAttr, first.Final) == ("f", b"{}", False)
    assert (last.Frontend, last.ExporterAttr, last.Final) == ("f", b"{}", True)
    assert result.exporter_response == {"k": "v"}


async def test_without_return_and_with_no_result_the_last_solve_is_empty(tmp_path: Path) -> None:
    response = gateway_pb2.SolveResponse(result={"metadata": {"b": b"\x00", "a": b"1"}})
    _, daemon = await solve_on(Build("solve.base", result=response), tmp_path)
    _, last = map(gateway_pb2.SolveRequest.FromString, daemon.requests(GATEWAY_SOLVE))
    assert last == gateway_pb2.SolveRequest(
        Definition=ops_pb2.Definition(), Final=True, ExporterAttr=b'{"a":"MQ==","b":"AA=="}'
    )


OLD_CAPS = ("return", "returnmap")


@pytest.mark.parametrize(
    ("caps", "response", "returned"),
    [
        (
            MODERN_CAPS,
            {"result": {"ref": {"id": "r"}, "metadata": {"k": b"v"}}},
            {"ref": {"id": "r"}, "metadata": {"k": b"v"}},
        ),
        (MODERN_CAPS, {"result": {"metadata": {"k": b"v"}}}, {"ref": {}, "metadata": {"k": b"v"}}),
        (MODERN_CAPS, {"result": {"refDeprecated": "r"}}, {"ref": {"id": "r"}}),
        (MODERN_CAPS, {"ref": "r"}, {"ref": {"id": "r"}}),
        (
            MODERN_CAPS,
            {"result": {"refsDeprecated": {"refs": {"a": "r"}}}},
            {"refs": {"refs": {"a": {"id": "r"}}}},
        ),
        (
            MODERN_CAPS,
            {"result": {"refs": {"refs": {"a": {"id": "r"}, "b": {}}}}},
            {"refs": {"refs": {"a": {"id": "r"}, "b": {}}}},
        ),
        (OLD_CAPS, {"result": {"ref": {"id": "r"}}}, {"refDeprecated": "r"}),
        (OLD_CAPS, {"result": {}}, {"refDeprecated": ""}),
        (
            OLD_CAPS,
            {"result": {"refs": {"refs": {"a": {"id": "r"}}}}},
            {"refsDeprecated": {"refs": {"a": "r"}}},
        ),
        (
            MODERN_CAPS,
            {"result": {"ref": {"id": "r"}, "attestations": {"p": {"attestation": [{"path": "x"}]}}}},
            {"ref": {"id": "r"}, "attestations": {"p": {"attestation": [{"path": "x", "ref": {}}]}}},
        ),
    ],
)
async def test_a_result_goes_back_in_the_daemons_form(
    caps: tuple[str, ...], response: dict[str, Any], returned: dict[str, Any], tmp_path: Path
) -> None:
    _, daemon = await solve_on(Build(*caps, result=gateway_pb2.SolveResponse(**response)), tmp_path)
    (request,) = map(gateway_pb2.ReturnRequest.FromString, daemon.requests(RETURN))
    assert request == gateway_pb2.ReturnRequest(result=returned)


async def test_several_results_need_a_daemon_that_takes_them(tmp_path: Path) -> None:
    response = gateway_pb2.SolveResponse(result={"refs": {"refs": {"a": {"id": "1"}, "b": {"id": "2"}}}})
    build = Build("return", "proto.refarray", result=response)
    error, daemon = await solve_on(build, tmp_path)
    (request,) = map(gateway_pb2.ReturnRequest.FromString, daemon.requests(RETURN))
    assert "feature returnmap" in request.error.message
    assert "feature returnmap" in str(error)


@pytest.mark.parametrize(
    ("announced", "message"),
    [
        ([("file.base", True)], None),
        (
            [("other", True)],
            "requested prerelease feature file.base "
            " is not supported by build server, please update buildkit",
        ),
        (
            [("file.base", False)],
            "requested prerelease feature file.base  has been disabled on the build server: why",
        ),
    ],
)
async def test_a_definition_needs_what_the_daemon_can(
    announced: list[tuple[str, bool]], message: str | None, tmp_path: Path
) -> None:
    build = Build()

    async def ping(request: bytes, context: Any) -> Message:
        llb = [caps_pb2.APICap(ID=cap, Enabled=on, DisabledReasonMsg="why") for cap, on in announced]
        return gateway_pb2.PongResponse(FrontendAPICaps=build.caps, LLBCaps=llb)

    build.answers[PING] = ping
    definition = ops_pb2.Definition(metadata={"d": ops_pb2.OpMetadata(caps={"file.base": True})})
    _, daemon = await solve_on(build, tmp_path, SolveOpt(definition=definition.SerializeToString()))
    (request,) = map(gateway_pb2.ReturnRequest.FromString, daemon.requests(RETURN))
    assert request.error.message == (message or "")
    assert len(daemon.requests(GATEWAY_SOLVE)) == (message is None)


async def test_the_gateways_failure_is_told_to_the_daemon_and_solve_has_the_last_word(tmp_path: Path) -> None:
    build = Build()

    async def gateway_solve(request: bytes, context: Any) -> Message:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        raise AssertionError

    async def solve(request: bytes, context: Any) -> Message:
        await build.returned.wait()
        build.solved.set()
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing, says solve")
        raise AssertionError

    build.answers |= {GATEWAY_SOLVE: gateway_solve, SOLVE: solve}
    error, daemon = await solve_on(build, tmp_path)
    (request,) = map(gateway_pb2.ReturnRequest.FromString, daemon.requests(RETURN))
    assert (request.error.code, request.error.message) == (Code.NOT_FOUND, "no such thing")
    assert str(error) == "failed to solve: NotFound: no such thing, says solve"
