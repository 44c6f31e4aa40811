"""Requests equal what the reference sent for the same command lines (tests/golden/requests.jsonl)."""

from __future__ import annotations

import argparse
import base64
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb import control_pb2, gateway_pb2, ops_pb2, sourcepolicy_pb2
from buildctl.client.request import check, control_request, gateway_request, plain_request
from buildctl.errors import UsageError
from buildctl.model.solve import CacheEntry, Export, SolveOpt

RECORDED = Path(__file__).parents[2] / "golden" / "requests.jsonl"
SOLVE = "/moby.buildkit.v1.Control/Solve"
GATEWAY_SOLVE = "/moby.buildkit.v1.frontend.LLBBridge/Solve"

parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
for name in ("opt", "local", "allow", "import-cache", "export-cache"):
    parser.add_argument(f"--{name}", action="append", default=[])
parser.add_argument("--output", "-o", action="append", default=[])
parser.add_argument("--frontend", default="")
parser.add_argument("--no-cache", "-no-cache", action="store_true")
parser.add_argument("--progress")


def fields(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in next(csv.reader([text])))


def entry(text: str, **defaults: str) -> CacheEntry:
    attrs = defaults | fields(text)
    return CacheEntry(attrs.pop("type"), attrs)


def export(text: str) -> Export:
    attrs = fields(text)
    attrs.pop("dest", None)
    return Export(attrs.pop("type"), attrs)


def opt_of(argv: list[str]) -> SolveOpt | None:
    """The build that a command line asks for; None where it needs the command line's own rules."""
    args, unknown = parser.parse_known_args(argv)
    if unknown or not all("=" in text for text in args.opt) or "src=nothere" in "".join(args.import_cache):
        return None
    if not all(text.startswith("type=") for text in args.import_cache + args.export_cache):
        return None
    attrs = dict(text.split("=", 1) for text in args.opt)
    return SolveOpt(
        frontend=args.frontend,
        frontend_attrs=attrs | ({"no-cache": ""} if args.no_cache else {}),
        exports=tuple(map(export, args.output)),
        cache_exports=tuple(entry(text, mode="min") for text in args.export_cache),
        cache_imports=tuple(map(entry, args.import_cache)),
        entitlements=tuple(args.allow),
    )


def recorded_builds() -> list[Any]:
    """The command lines that reached the daemon and whose settings are all in the options above."""
    builds = []
    for line in RECORDED.read_text().splitlines():
        row = json.loads(line)
        calls = {
            call["method"]: base64.b64decode(call["data"])
            for call in row["calls"]
            if call["data"] is not None
        }
        if GATEWAY_SOLVE not in calls or row["argv"][0] not in ("build", "b") or row["env"]:
            continue
        if "sha256:000" in " ".join(row["argv"]):
            continue  # a local cache, which needs its store
        opt = opt_of(row["argv"][1:])
        if opt:
            builds.append(pytest.param(opt, calls, id=" ".join(row["argv"][1:])[-60:]))
    return builds


BUILDS = recorded_builds()


def test_enough_command_lines_are_compared() -> None:
    assert len(BUILDS) >= 25


@pytest.mark.parametrize(("opt", "calls"), BUILDS)
def test_requests_equal_the_recorded_ones(opt: SolveOpt, calls: dict[str, bytes]) -> None:
    check(opt)
    expected = control_pb2.SolveRequest.FromString(calls[SOLVE])
    assert control_request(opt, ref=expected.Ref, session_id=expected.Session) == expected
    assert gateway_request(opt) == gateway_pb2.SolveRequest.FromString(calls[GATEWAY_SOLVE])


def test_cache_message_is_present_in_the_plainest_request() -> None:
    assert control_request(SolveOpt(frontend="f"), ref="r", session_id="s").HasField("Cache")


def test_caches_to_import_are_written_for_frontends_as_go_writes_json() -> None:
    opt = SolveOpt(frontend="f", cache_imports=(CacheEntry("local", {"src": "a<b>&\u2028", "digest": "é"}),))
    attrs = control_request(opt, ref="r", session_id="s").FrontendAttrs
    expected = r'[{"Type":"local","Attrs":{"digest":"é","src":"a\u003cb\u003e\u0026\u2028"}}]'
    assert attrs["cache-imports"] == expected
    assert gateway_request(opt).FrontendOpt["cache-imports"] == expected


def test_frontend_caps_of_the_user_are_kept() -> None:
    opt = SolveOpt(frontend="f", frontend_attrs={"requestid": "x", "frontend.caps": "mine"})
    assert gateway_request(opt).FrontendOpt["frontend.caps"] == "mine"


def test_definition_and_policy_travel_as_messages() -> None:
    llb = ops_pb2.Definition.FromString(b"\x0a\x02op")
    policy = sourcepolicy_pb2.Policy(version=1)
    opt = SolveOpt(
        definition=llb.SerializeToString(), source_policy=policy.SerializeToString(), proxy_network=True
    )
    request = control_request(opt, ref="r", session_id="s")
    assert request.SourcePolicy == policy
    assert request.ProxyNetwork
    assert not request.HasField("Definition")
    assert gateway_request(opt).Definition == llb
    assert plain_request(opt, ref="r", session_id="s").Definition == llb


def test_plain_request_speaks_to_the_daemons_of_2018() -> None:
    opt = SolveOpt(
        frontend="dockerfile.v0",
        frontend_attrs={"target": "t"},
        cache_exports=(CacheEntry("registry", {"ref": "h/c", "mode": "max"}),),
        cache_imports=(CacheEntry("registry", {"ref": "h/a"}), CacheEntry("local", {"src": "x"})),
    )
    request = plain_request(opt, ref="r", session_id="s")
    assert request.Frontend == "dockerfile.v0"
    assert request.FrontendAttrs["target"] == "t"
    assert request.Cache.ExportRefDeprecated == "h/c"
    assert dict(request.Cache.ExportAttrsDeprecated) == {"mode": "max"}
    assert list(request.Cache.ImportRefsDeprecated) == ["h/a"]


@pytest.mark.parametrize(
    ("opt", "message"),
    [
        (SolveOpt(), "invalid empty definition"),
        (SolveOpt(frontend="f", definition=b""), "invalid definition for frontend f"),
        (
            SolveOpt(frontend="f", exports=(Export("local", {"mode": "foo"}),)),
            'invalid local exporter mode "foo"',
        ),
        (
            SolveOpt(frontend="f", cache_exports=(CacheEntry("registry"),)),
            "registry cache exporter requires ref",
        ),
        (
            SolveOpt(frontend="f", cache_imports=(CacheEntry("registry"),)),
            "registry cache importer requires ref",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(opt: SolveOpt, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(opt)
    assert str(caught.value) == message


def test_modes_are_read_as_the_reference_reads_them() -> None:
    check(
        SolveOpt(frontend="f", exports=(Export("local", {"mode": " Delete "}), Export("x", {"mode": "foo"})))
    )


def test_unreadable_bytes_are_refused() -> None:
    with pytest.raises(UsageError, match="failed to parse input"):
        gateway_request(SolveOpt(definition=b"\xff"))
    with pytest.raises(UsageError, match="invalid source policy"):
        control_request(SolveOpt(frontend="f", source_policy=b"\xff"), ref="r", session_id="s")


def test_text_that_no_message_can_carry_is_refused() -> None:
    with pytest.raises(UsageError, match=r'"a\\xff" is not valid UTF-8'):
        gateway_request(SolveOpt(frontend="f", frontend_attrs={"k": "a\udcff"}))
