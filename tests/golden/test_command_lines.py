"""More command lines than were recorded: what each asks the daemon for, by the reference's rules.

What cannot be meant is refused before anything is asked for or created.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb import control_pb2, ops_pb2
from tests.support.command_lines import Outcome, run_line

SAME = "{} and {} would be written to the same place"
BUILD = "build --frontend dockerfile.v0 --local context=. --local dockerfile=. "
HEALTH = {"Health/Check", "Health/List", "Health/Watch"}
AUTH = {"Auth/Credentials", "Auth/FetchToken", "Auth/GetTokenAuthority", "Auth/VerifyTokenAuthority"}
FILES = {"FileSync/DiffCopy", "FileSync/TarStream"}
CONTENT = {
    "Content/" + method
    for method in ("Abort", "Delete", "Info", "List", "ListStatuses", "Read", "Status", "Update", "Write")
}
SSH = {"SSH/CheckAgent", "SSH/ForwardAgent"}


def run(line: str, folder: Path, **more: Any) -> Outcome:
    """Run a command line; one that begins with a flag is a build."""
    return run_line(shlex.split(BUILD + line if line.startswith("-") else line), folder, **more)


ERRORS = [
    # CSV values
    ("-o ''", "EOF"),
    ("-o type=", "--output requires type=<type>"),
    ("-o '\"type=tar'", 'parse error on line 1, column 2: extraneous or missing " in quoted-field'),
    ("-o 'type=\"tar\"'", 'parse error on line 1, column 6: bare " in non-quoted-field'),
    ("-o '\"type=tar\"x'", 'parse error on line 1, column 10: extraneous or missing " in quoted-field'),
    ("-o type=tar,,", "invalid value "),
    ("-o ' type=tar'", "--output requires type=<type>"),
    # --output
    ("-o type=tar,output=x", "output=x not supported for --output, you meant dest=x?"),
    ("-o type=local", "invalid output option: output: output directory is required for local exporter"),
    ("-o type=local,dest=", "invalid output option: output: output directory is required for local exporter"),
    (
        "-o type=docker,tar=false",
        "invalid output option: output: output directory is required for docker exporter",
    ),
    ("-o type=oci,tar=0", "invalid output option: output: output directory is required for oci exporter"),
    ("-o type=image,dest=x", "invalid output option: output: output x is not supported by image exporter"),
    ("-o type=nope,dest=x", "invalid output option: output: output x is not supported by nope exporter"),
    ("-o type=oci,dest=.", "invalid output option: output: destination file is a directory"),
    # caches
    ("--export-cache type=", "--export-cache requires type=<type>"),
    ("--import-cache a=b,type=", "--import-cache requires type=<type>"),
    ("--export-cache type=local,x", "invalid value x"),
    (
        "--import-cache type=gha,url=u",
        "cache with type gha requires token parameter or $ACTIONS_RUNTIME_TOKEN",
    ),
    ("--import-cache type=gha,token=t", "cache with type gha requires url parameter to be set"),
    ("--export-cache type=gha,version=2,token=t", "cache with type gha requires url parameter to be set"),
    # --opt, --local, --oci-layout
    ("--opt a --opt b=c", "invalid opt: invalid value a"),
    ("--opt ''", "invalid opt: invalid value "),
    ("--opt build-arg", "invalid opt: invalid value build-arg"),
    ("--opt Build-arg:A", "invalid opt: invalid value Build-arg:A"),
    ("--local ''", "invalid local: invalid value "),
    ("--local x=a/b", "invalid local: resolve : lstat a: no such file or directory"),
    ("--local x=Dockerfile/b", "invalid local: resolve : not a directory"),
    ("--local x=Dockerfile", "invalid local: stat Dockerfile: not a directory"),
    (
        "--oci-layout a",
        "invalid oci-layout: oci-layout option must be 'id=path/to/layout', instead had invalid a",
    ),
    (
        "--oci-layout x=",
        "invalid oci-layout: oci-layout option must be 'id=path/to/layout', instead had invalid x=",
    ),
    (
        "--oci-layout x=Dockerfile",
        "invalid oci-layout: oci-layout context at Dockerfile failed to initialize:"
        " mkdir Dockerfile: not a directory",
    ),
    # what cannot be written
    ("-o type=tar,dest=no/t", "invalid output option: output: open no/t: no such file or directory"),
    ("-o type=oci,dest=t/", "invalid output option: output: open t/: is a directory"),
    ("-o type=oci,dest=Dockerfile/", "invalid output option: output: open Dockerfile/: not a directory"),
    ("-o type=docker,dest=Dockerfile/t", "invalid output option: output: open Dockerfile/t: not a directory"),
    ("-o type=local,dest=Dockerfile", "invalid output option: output: mkdir Dockerfile: not a directory"),
    ("-o type=local,dest=Dockerfile/x", "invalid output option: output: mkdir Dockerfile: not a directory"),
    (
        "-o type=oci,dest=Dockerfile,tar=false",
        "invalid output option: output: mkdir Dockerfile: not a directory",
    ),
    (
        "-o 'type=tar,dest=~/t'",
        "invalid output option: output: open ~/t: no such file or directory: ~ is not expanded here",
    ),
    (
        "-o 'type=local,dest=~me/t'",
        "invalid output option: output: mkdir ~me/t: no such file or directory: ~me is not expanded here",
    ),
    ("-o type=tar,dest=/dev/fd/987", "invalid output option: output: open /dev/fd/987: bad file descriptor"),
    ("--export-cache type=local,dest=Dockerfile", "invalid export-cache: mkdir Dockerfile: not a directory"),
    (
        "--export-cache 'type=local,dest=~/c'",
        "invalid export-cache: mkdir ~/c: no such file or directory: ~ is not expanded here",
    ),
    ("--metadata-file no/m", "open no/m: no such file or directory"),
    ("--metadata-file .", "open .: is a directory"),
    ("--metadata-file m/", "open m/: is a directory"),
    ("--metadata-file '~/m'", "open ~/m: no such file or directory: ~ is not expanded here"),
    ("--ref-file no/r", "open no/r: no such file or directory"),
    ("--timings no/t", "open no/t: no such file or directory"),
    ("--timeline no/t.html", "open no/t.html: no such file or directory"),
    # two outputs in one place
    ("-o type=tar -o type=oci", SAME.format("--output type=tar", "--output type=oci")),
    ("-o type=tar,dest=t -o type=oci,dest=./t", SAME.format("--output type=tar", "--output type=oci")),
    ("-o type=tar,dest=t -o type=local,dest=t", SAME.format("--output type=tar", "--output type=local")),
    ("-o type=tar,dest=t --metadata-file ./t", SAME.format("--output type=tar", "--metadata-file")),
    ("--metadata-file t --ref-file t", SAME.format("--metadata-file", "--ref-file")),
    ("--timings t.json --timeline t.json", SAME.format("--timings", "--timeline")),
    # --secret
    ("--secret ''", "failed to parse csv secret: EOF"),
    ("--secret id=", "secret missing ID"),
    ("--secret env=X", "secret missing ID"),
    ("--secret id=a,x=1", "unexpected key 'x' in 'x=1'"),
    ("--secret id=a,Type=ENV", 'unsupported secret type "ENV"'),
    ("--secret id=a,type=env", "failed to stat a: stat a: no such file or directory"),
    ("--secret id=a,src=gone,env=X", "failed to stat gone: stat gone: no such file or directory"),
    ("--secret id=a --secret id=b,src=Dockerfile,y=1", "unexpected key 'y' in 'y=1'"),
    ("--secret src=x --secret id=a,src=gone", "secret missing ID"),
    ("--secret id=a,src=big", "secret a too big. max size 500KiB"),
    # --ssh
    ("--ssh a=raw=true", 'raw mode must supply exactly one socket path for "a"'),
    ("--ssh a=x,raw=2", "invalid value for 'raw': 2: strconv.ParseBool: parsing \"2\": invalid syntax"),
    (
        "--ssh a --ssh b=x,raw=2",
        "invalid value for 'raw': 2: strconv.ParseBool: parsing \"2\": invalid syntax",
    ),
    (
        "--ssh a=Dockerfile,raw=true",
        "failed to convert agent config {a [Dockerfile] true}: failed to convert agent config for ID: "
        '"a": raw mode only supported with socket paths',
    ),
    (
        "--ssh a=",
        "failed to convert agent config {a [] false}: invalid empty ssh agent socket: "
        "make sure SSH_AUTH_SOCK is set",
    ),
    (
        "--ssh =.",
        "failed to convert agent config {default [.] false}: failed to convert agent config for ID: "
        '"default": failed to read .: read .: is a directory',
    ),
    # --allow
    ("--allow ''", "unknown entitlement "),
    ("--allow Network.host", "unknown entitlement Network.host"),
    ("--allow devices", "unknown entitlement devices"),
    ("--allow device=a,b", 'invalid device config "b"'),
    ("--allow device=a,k=v", 'unknown device config key "k"'),
    ("--allow network.host --allow x", "unknown entitlement x"),
    # --registry-auth-tlscontext
    ("--registry-auth-tlscontext ''", "EOF"),
    ("--registry-auth-tlscontext host", "invalid value host"),
    (
        "--registry-auth-tlscontext host=h,insecure=yes",
        "--registry-auth-tlscontext requires ca=<ca> or cert=<cert>,key=<key> or insecure=true",
    ),
    (
        "--registry-auth-tlscontext host=h,ca=c,key=k",
        "--registry-auth-tlscontext requires cert=<cert>,key=<key>",
    ),
    # the order in which flags are read, not that in which they are typed
    ("--opt bad --registry-auth-tlscontext host", "invalid value host"),
    ("--secret '' --ssh a=raw=true", 'raw mode must supply exactly one socket path for "a"'),
    ("--allow x --secret ''", "failed to parse csv secret: EOF"),
    ("-o x --allow y", "unknown entitlement y"),
    ("--export-cache type= -o x", "invalid value x"),
    ("--import-cache type= --export-cache type=", "--export-cache requires type=<type>"),
    ("--source-policy-file gone --import-cache type=", "--import-cache requires type=<type>"),
    ("--opt x --source-policy-file gone", "open gone: no such file or directory"),
    ("--local x --opt y", "invalid opt: invalid value y"),
    ("--oci-layout x --local y", "invalid local: invalid value y"),
    (
        "--progress x --oci-layout y",
        "invalid oci-layout: oci-layout option must be 'id=path/to/layout', instead had invalid y",
    ),
    ("--progress plain --progress x", "invalid progress mode x"),
    # input
    ("build --frontend '' --local x=.", "please specify --frontend or pipe LLB definition to stdin"),
    ("build --opt bad", "invalid opt: invalid value bad"),
]


@pytest.mark.parametrize(("line", "message"), ERRORS)
def test_what_cannot_be_meant_asks_nothing(line: str, message: str, tmp_path: Path) -> None:
    outcome = run(line, tmp_path, files={"big": "x" * 512_001} if "big" in line else {})
    assert (outcome.exit, outcome.stdout, outcome.stderr) == (1, "", f"error: {message}\n")
    assert outcome.calls == []
    assert outcome.left == []


class TestPaths:
    """What can be meant after all."""

    def test_an_empty_local_folder_is_the_working_folder(self, tmp_path: Path) -> None:
        """filepath.EvalSymlinks makes `.` of it in the reference."""
        outcome = run("build --frontend f --local a=", tmp_path)
        assert (outcome.exit, outcome.services) == (
            0,
            run("build --frontend f --local a=.", tmp_path).services,
        )

    def test_a_file_may_be_in_a_folder_that_the_build_makes(self, tmp_path: Path) -> None:
        line = "--metadata-file out/sub/m -o type=local,dest=out"
        assert run(line, tmp_path).request("Control/Solve").Exporters[0].Type == "local"

    def test_devices_take_any_number_of_outputs(self, tmp_path: Path) -> None:
        line = "-o type=tar,dest=/dev/null -o type=oci,dest=/dev/null --metadata-file /dev/null"
        assert len(run(line, tmp_path).request("Control/Solve").Exporters) == 2

    def test_the_working_folder_may_be_gone(self, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        why = "the working folder has been removed"
        for line, said in (
            ("--local a=.", f"invalid local: resolve : lstat .: {why}"),
            ("--local a=x", f"invalid local: resolve : lstat x: {why}"),
            ("-o type=tar,dest=t", f"invalid output option: output: open t: {why}"),
            ("-o type=local,dest=d", f"invalid output option: output: mkdir d: {why}"),
            ("--metadata-file m", f"open m: {why}"),
            ("--trace t", f"open t: {why}"),
            (f"--local a={tmp_path} -o type=local,dest={tmp_path}/d", None),
        ):
            outcome = run_line(shlex.split("build --frontend f " + line), gone, removed=True)
            assert outcome.exit == (1 if said else 0)
            assert said is None or outcome.stderr.splitlines()[-1] == f"error: {said}"


FLAG_ERRORS = [
    ("--nope", "flag provided but not defined: -nope"),
    ("--secrets x", "flag provided but not defined: -secrets"),
    ("-ox", "flag provided but not defined: -ox"),
    ("--secret", "flag needs an argument: --secret"),
    ("-o", "flag needs an argument: -o"),
    ("--proxy-network=maybe", 'invalid value "maybe" for flag -proxy-network: parse error'),
    ("du --filters x", "flag provided but not defined: -filters"),
    ("du -vf x", "flag provided but not defined: -vf"),
    (
        "prune --keep-storage x",
        'invalid value "x" for flag -keep-storage: strconv.ParseFloat: parsing "x": invalid syntax',
    ),
    (
        "prune --keep-duration 5x",
        'invalid value "5x" for flag -keep-duration: time: unknown unit "x" in duration "5x"',
    ),
    ("prune --all=2", 'invalid value "2" for flag -all: parse error'),
]


@pytest.mark.parametrize(("line", "message"), FLAG_ERRORS)
def test_a_bad_flag_shows_no_help_page(line: str, message: str, tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    assert (outcome.exit, outcome.stdout) == (1, "")
    assert outcome.stderr == f"Incorrect Usage: {message}\n\nerror: {message}\n"
    assert outcome.calls == []


ATTRS = [
    ("--opt a=1 --opt a=2", {"a": "2"}),
    ("--opt a=b=c", {"a": "b=c"}),
    ("--opt a=x,y --opt b=z", {"a": "x,y", "b": "z"}),
    ("--opt ' a = b '", {" a ": " b "}),
    ("--opt A=1 --opt a=2", {"A": "1", "a": "2"}),
    ("--opt =v", {"": "v"}),
    ("--opt build-arg:V", {"build-arg:V": "from env"}),
    ("--opt build-arg:EMPTY", {"build-arg:EMPTY": ""}),
    ("--opt build-arg:V=", {"build-arg:V": ""}),
    ("--opt build-arg:V=x --opt build-arg:V", {"build-arg:V": "from env"}),
    ("--opt build-arg:UNSET=x --opt build-arg:UNSET", {"build-arg:UNSET": "x"}),
    ("--opt=target=t -opt filename=D", {"target": "t", "filename": "D"}),
    ("--no-cache", {"no-cache": ""}),
    ("--no-cache=false", {}),
    ("--no-cache= ", {"no-cache": ""}),
    ("--no-cache --opt no-cache=a,b", {"no-cache": ""}),
    ("--opt cache-imports=mine", {"cache-imports": "mine"}),
    (
        "--import-cache type=registry,ref=r --opt cache-imports=mine",
        {"cache-imports": '[{"Type":"registry","Attrs":{"ref":"r"}}]'},
    ),
    (
        "--import-cache 'type=registry,ref=<a>&b'",
        {"cache-imports": '[{"Type":"registry","Attrs":{"ref":"\\u003ca\\u003e\\u0026b"}}]'},
    ),
    ("--import-cache type=inline", {"cache-imports": '[{"Type":"inline"}]'}),
    ("--import-cache a/b", {"cache-imports": '[{"Type":"registry","Attrs":{"ref":"a/b"}}]'}),
]


@pytest.mark.parametrize(("line", "attrs"), ATTRS)
def test_options_of_the_frontend(line: str, attrs: dict[str, str], tmp_path: Path) -> None:
    outcome = run(line, tmp_path, variables={"V": "from env", "EMPTY": ""})
    assert outcome.exit == 0
    assert dict(outcome.request("Control/Solve").FrontendAttrs) == attrs
    assert dict(outcome.request("LLBBridge/Solve").FrontendOpt) == attrs
    assert outcome.request("Control/Solve").Frontend == ""
    assert outcome.request("LLBBridge/Solve").Frontend == "dockerfile.v0"


@pytest.mark.parametrize(
    ("line", "epoch"),
    [
        ("", "7"),
        ("--opt build-arg:SOURCE_DATE_EPOCH=8", "8"),
        ("--opt build-arg:SOURCE_DATE_EPOCH", "7"),
    ],
)
def test_the_source_date_epoch(line: str, epoch: str, tmp_path: Path) -> None:
    outcome = run(
        line or "--progress plain", tmp_path, variables={"SOURCE_DATE_EPOCH": epoch if not line else "7"}
    )
    assert dict(outcome.request("Control/Solve").FrontendAttrs) == {"build-arg:SOURCE_DATE_EPOCH": epoch}


EXPORTS: list[tuple[str, list[tuple[str, dict[str, str]]]]] = [
    ("-o type=image,name=a,push=true", [("image", {"name": "a", "push": "true"})]),
    ("-o TYPE=image,Name=a", [("image", {"name": "a"})]),
    ("-o type=image,name=A=B", [("image", {"name": "A=B"})]),
    ("-o type=image,a=1,a=2", [("image", {"a": "2"})]),
    ("-o 'type=image,\"name=a,b\"'", [("image", {"name": "a,b"})]),
    ('-o \'type=image,"name=a""b"\'', [("image", {"name": 'a"b'})]),
    ("-o type=image,dest=", [("image", {"dest": ""})]),
    ("-o type=cacheonly", [("cacheonly", {})]),
    ("-o type=local,dest=d,platform-split=false", [("local", {"platform-split": "false"})]),
    ("-o 'type=local,dest=d,mode= DELETE '", [("local", {"mode": " DELETE "})]),
    ("-o type=tar,dest=t.tar,x=1", [("tar", {"x": "1"})]),
    ("-o type=tar", [("tar", {})]),
    ("-o type=oci,dest=-,name=n", [("oci", {"name": "n"})]),
    ("-o type=docker,dest=t,tar=maybe", [("docker", {"tar": "maybe"})]),
    ("-o type=oci,dest=d,tar=F", [("oci", {"tar": "F"})]),
    ("-o type=image -o type=image", [("image", {}), ("image", {})]),
    (
        "--output type=tar,dest=a --output type=image,name=n -o type=local,dest=l",
        [("tar", {}), ("image", {"name": "n"}), ("local", {})],
    ),
]


@pytest.mark.parametrize(("line", "exports"), EXPORTS)
def test_exports(line: str, exports: list[tuple[str, dict[str, str]]], tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    request: control_pb2.SolveRequest = outcome.request("Control/Solve")
    left_out = len(exports) > 1 and "dest=" in line  # this daemon delivers nothing
    assert outcome.exit == (1 if left_out else 0)
    assert [(export.Type, dict(export.Attrs)) for export in request.Exporters] == exports
    assert (request.ExporterDeprecated, dict(request.ExporterAttrsDeprecated)) == exports[0]
    assert not outcome.request("LLBBridge/Solve").ExporterAttr


CACHES: list[tuple[str, list[tuple[str, dict[str, str]]], list[tuple[str, dict[str, str]]]]] = [
    ("--export-cache type=inline", [("inline", {"mode": "min"})], []),
    ("--export-cache type=s3,bucket=b,mode=max", [("s3", {"bucket": "b", "mode": "max"})], []),
    ("--export-cache type=azblob,Account_URL=u", [("azblob", {"account_url": "u", "mode": "min"})], []),
    ("--export-cache my.example/ref:tag", [("registry", {"ref": "my.example/ref:tag", "mode": "min"})], []),
    ("--import-cache my.example/ref:tag", [], [("registry", {"ref": "my.example/ref:tag"})]),
    ("--import-cache mode=max", [], [("registry", {"ref": "mode=max"})]),
    ("--import-cache type=s3,region=r", [], [("s3", {"region": "r"})]),
    (
        "--export-cache type=inline --export-cache type=registry,ref=r --import-cache type=registry,ref=s",
        [("inline", {"mode": "min"}), ("registry", {"ref": "r", "mode": "min"})],
        [("registry", {"ref": "s"})],
    ),
    (
        "--export-cache type=gha,url=u,token=t",
        [("gha", {"url": "u", "token": "t", "mode": "min"})],
        [],
    ),
    ("--import-cache type=gha,url_v2=u,token=", [], [("gha", {"url_v2": "u", "token": ""})]),
]


@pytest.mark.parametrize(("line", "exports", "imports"), CACHES)
def test_caches(
    line: str,
    exports: list[tuple[str, dict[str, str]]],
    imports: list[tuple[str, dict[str, str]]],
    tmp_path: Path,
) -> None:
    outcome = run(line, tmp_path)
    assert outcome.exit == 0
    cache = outcome.request("Control/Solve").Cache
    assert [(entry.Type, dict(entry.Attrs)) for entry in cache.Exports] == exports
    assert [(entry.Type, dict(entry.Attrs)) for entry in cache.Imports] == imports
    bridged = outcome.request("LLBBridge/Solve").CacheImports
    assert [(entry.Type, dict(entry.Attrs)) for entry in bridged] == imports
    assert not cache.ExportRefDeprecated
    assert not cache.ImportRefsDeprecated


ACTIONS = {
    "ACTIONS_RESULTS_URL": "results",
    "ACTIONS_CACHE_URL": "cache",
    "ACTIONS_RUNTIME_TOKEN": "token",
    "ACTIONS_CACHE_SERVICE_V2": "True",
}


@pytest.mark.parametrize(
    ("without", "typed", "attrs"),
    [
        ((), "", {"url": "cache", "url_v2": "results", "token": "token"}),
        (("ACTIONS_CACHE_SERVICE_V2",), "", {"url": "cache", "token": "token"}),
        (("ACTIONS_CACHE_URL",), "", {"url": "results", "url_v2": "results", "token": "token"}),
        ((), ",version=1", {"url": "cache", "token": "token", "version": "1"}),
        (
            ("ACTIONS_CACHE_SERVICE_V2",),
            ",version=2",
            {"url": "cache", "url_v2": "results", "token": "token", "version": "2"},
        ),
        ((), ",url=mine,url_v2=mine,token=mine", {"url": "mine", "url_v2": "mine", "token": "mine"}),
    ],
)
def test_the_cache_of_github_actions(
    without: tuple[str, ...], typed: str, attrs: dict[str, str], tmp_path: Path
) -> None:
    variables = {name: value for name, value in ACTIONS.items() if name not in without}
    outcome = run(f"--import-cache type=gha{typed}", tmp_path, variables=variables)
    (entry,) = outcome.request("Control/Solve").Cache.Imports
    assert dict(entry.Attrs) == attrs


SERVICES: list[tuple[str, set[str]]] = [
    ("build --frontend f", set()),
    ("build --frontend f --local a=.", FILES),
    ("build --frontend f -o type=image", set()),
    ("build --frontend f -o type=tar,dest=t", {"FileSend/DiffCopy"}),
    ("build --frontend f -o type=local,dest=t", {"FileSend/DiffCopy"}),
    ("build --frontend f -o type=oci,dest=t,tar=false", CONTENT),
    ("build --frontend f -o type=oci,dest=t,tar=false -o type=tar,dest=u", CONTENT | {"FileSend/DiffCopy"}),
    ("build --frontend f --export-cache type=local,dest=c", CONTENT),
    ("build --frontend f --export-cache type=registry,ref=r", set()),
    ("build --frontend f --oci-layout l=l", CONTENT),
    ("build --frontend f --secret id=V", {"Secrets/GetSecret"}),
    ("build --frontend f --secret id=V --secret id=w,src=Dockerfile", {"Secrets/GetSecret"}),
    ("build --frontend f --registry-auth-tlscontext host=h,ca=gone", set()),
]


@pytest.mark.parametrize(("line", "services"), SERVICES)
def test_services_of_the_session(line: str, services: set[str], tmp_path: Path) -> None:
    outcome = run(line, tmp_path, variables={"V": "x"})
    assert outcome.exit == (0 if line.count(" -o ") < 2 else 1)  # this daemon delivers no output
    assert outcome.services == HEALTH | AUTH | services


FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("--allow network.host", {"Entitlements": ["network.host"]}),
    (
        "--allow device --allow device=a,alias=b --allow device=c",
        {"Entitlements": ["device", "device=a,alias=b", "device=c"]},
    ),
    ("--allow security.insecure --allow security.insecure", {"Entitlements": ["security.insecure"] * 2}),
    ("--proxy-network", {"ProxyNetwork": True}),
    ("--proxy-network=f", {"ProxyNetwork": False}),
    ("--progress rawjson", {"Internal": False, "CompatibilityVersion": 0}),
    ("--progress plain", {"EnableSessionExporter": False, "SourcePolicySession": ""}),
    ("--ref-file r", {"Ref": "<25>", "Session": "<25>"}),
]


@pytest.mark.parametrize(("line", "fields"), FIELDS)
def test_other_fields_of_solve(line: str, fields: dict[str, Any], tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    assert outcome.exit == 0
    request = outcome.request("Control/Solve")
    values = {name: getattr(request, name) for name in fields}
    assert {
        name: list(value) if name == "Entitlements" else value for name, value in values.items()
    } == fields
    assert request.HasField("Cache")
    assert not request.HasField("Definition")
    assert not request.FrontendInputs


def definition() -> ops_pb2.Definition:
    op = ops_pb2.Op(source=ops_pb2.SourceOp(identifier="docker-image://x")).SerializeToString(
        deterministic=True
    )
    found = ops_pb2.Definition()
    getattr(found, "def").append(op)  # a keyword here
    return found


class TestDefinition:
    """LLB on standard input."""

    def test_it_goes_through_the_gateway(self, tmp_path: Path) -> None:
        outcome = run_line(["build"], tmp_path, stdin=definition().SerializeToString())
        assert outcome.exit == 0
        request = outcome.request("LLBBridge/Solve")
        assert request.Frontend == ""
        assert getattr(request.Definition, "def") == getattr(definition(), "def")
        assert not outcome.request("Control/Solve").HasField("Definition")

    def test_no_cache_is_said_of_each_step(self, tmp_path: Path) -> None:
        outcome = run_line(["build", "--no-cache"], tmp_path, stdin=definition().SerializeToString())
        metadata = outcome.request("LLBBridge/Solve").Definition.metadata
        assert [step.ignore_cache for step in metadata.values()] == [True]
        assert dict(outcome.request("Control/Solve").FrontendAttrs) == {}

    @pytest.mark.parametrize(
        ("stdin", "message"),
        [
            (b"", "empty definition sent to build. Specify --frontend instead?"),
            (b"\x12\x00", "empty definition sent to build. Specify --frontend instead?"),
            (b"\x0a\x05x", "failed to parse input: unexpected EOF"),
        ],
    )
    def test_what_is_none(self, stdin: bytes, message: str, tmp_path: Path) -> None:
        outcome = run_line(["build"], tmp_path, stdin=stdin)
        assert (outcome.exit, outcome.stderr) == (1, f"error: {message}\n")

    def test_it_is_not_read_with_a_frontend(self, tmp_path: Path) -> None:
        assert run_line(["build", "--frontend", "f"], tmp_path, stdin=b"garbage").exit == 0


class TestFiles:
    """What a build leaves."""

    def test_the_ref(self, tmp_path: Path) -> None:
        assert run("--ref-file ref", tmp_path).left == ["ref"]
        ref = (tmp_path / "ref").read_text()
        assert len(ref) == 25
        assert ref.isalnum()

    def test_the_ref_of_a_build_that_failed(self, tmp_path: Path) -> None:
        assert run("--ref-file ref --export-cache type=registry", tmp_path).exit == 1
        assert len((tmp_path / "ref").read_text()) == 25

    def test_no_ref_where_flags_are_wrong(self, tmp_path: Path) -> None:
        assert run("--ref-file ref --opt bad", tmp_path).left == []

    def test_no_metadata_where_exporters_say_nothing(self, tmp_path: Path) -> None:
        outcome = run("--metadata-file meta.json -o type=local,dest=out", tmp_path)
        assert (outcome.exit, outcome.left) == (0, [])

    def test_no_metadata_of_a_build_that_failed(self, tmp_path: Path) -> None:
        outcome = run("--metadata-file meta.json --import-cache type=registry", tmp_path)
        assert (outcome.exit, outcome.left) == (1, [])

    def test_modes(self, tmp_path: Path) -> None:
        run("--ref-file ref --trace trace", tmp_path)
        umask = os.umask(0)
        os.umask(umask)
        assert stat.S_IMODE((tmp_path / "ref").stat().st_mode) == 0o666 & ~umask
        assert stat.S_IMODE((tmp_path / "trace").stat().st_mode) == 0o600

    def test_a_trace_goes_on_in_its_file(self, tmp_path: Path) -> None:
        (tmp_path / "trace").write_text("before\n")
        run("--trace trace", tmp_path)
        first, *lines = (tmp_path / "trace").read_text().splitlines()
        assert first == "before"
        assert all(isinstance(json.loads(line), dict) for line in lines)

    def test_a_trace_file_comes_before_all_flags(self, tmp_path: Path) -> None:
        outcome = run("--trace trace --opt bad", tmp_path)
        assert (outcome.exit, outcome.left) == (1, ["trace"])


CONFIG_WARNINGS = [
    ("{", "WARNING: Error parsing config file ($PWD/config.json): "),
    (
        '{"auths":{"r":{"auth":"eA=="}}}',
        "WARNING: Error parsing config file ($PWD/config.json): invalid auth",
    ),
]


@pytest.mark.parametrize(("config", "warning"), CONFIG_WARNINGS)
def test_a_bad_configuration_of_docker_is_a_warning(config: str, warning: str, tmp_path: Path) -> None:
    outcome = run("--progress plain", tmp_path, files={"config.json": config})
    assert outcome.exit == 0
    assert outcome.stderr.startswith(warning)
    assert run("du", tmp_path, files={"config.json": config}).stderr == ""


PRUNES: list[tuple[str, dict[str, Any]]] = [
    ("prune", {}),
    ("prune --all=true", {"all": True}),
    ("prune --all=0", {}),
    ("prune --keep-duration 90m", {"keepDuration": 5_400_000_000_000}),
    ("prune --keep-duration=-1s", {"keepDuration": -1_000_000_000}),
    ("prune --keep-duration 1h1m1s1ms", {"keepDuration": 3_661_001_000_000}),
    ("prune --keep-storage 0.0000019", {"maxUsedSpace": 1}),
    ("prune --keep-storage 1e3", {"maxUsedSpace": 1_000_000_000}),
    ("prune --keep-storage-min .5", {"reservedSpace": 500_000}),
    ("prune --free-storage 2", {"minFreeSpace": 2_000_000}),
    ("prune --filter a,b -f c==d", {"filter": ["a,b", "c==d"]}),
    ("prune -- --all", {}),
    ("prune - --all", {}),
    ("prune extra --all", {"all": True}),
]


@pytest.mark.parametrize(("line", "fields"), PRUNES)
def test_prune(line: str, fields: dict[str, Any], tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    assert outcome.exit == 0
    assert outcome.request("Control/Prune") == control_pb2.PruneRequest(**fields)


@pytest.mark.parametrize(
    ("line", "filters"),
    [
        ("du", []),
        ("du --filter ''", [""]),
        ("du -f a -filter=b --filter c,d", ["a", "b", "c,d"]),
        ("du -v -f a", ["a"]),
        ("du --verbose=false -f a", ["a"]),
        ("du extra -f a", ["a"]),
    ],
)
def test_du(line: str, filters: list[str], tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    assert outcome.exit == 0
    assert list(outcome.request("Control/DiskUsage").filter) == filters
    assert ("Total:" in outcome.stdout) == (not filters)


@pytest.mark.parametrize(("line", "filters"), [("debug workers", []), ("debug workers -f id==a", ["id==a"])])
def test_workers(line: str, filters: list[str], tmp_path: Path) -> None:
    assert list(run(line, tmp_path).request("Control/ListWorkers").filter) == filters


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("debug get", "blob digest must be specified"),
        ("debug get sha256:zz", "invalid checksum digest length"),
        ("debug logs", "build ref must be specified"),
        ("debug ctl --pin", "build ref must be specified"),
        ("debug ctl x --delete --pin", "cannot specify --delete with --pin or --unpin"),
        ("debug ctl x --delete --unpin", "cannot specify --delete with --pin or --unpin"),
        ("debug dump-llb Dockerfile", "proto: illegal wireType 6"),
        ("--log-format xml du", 'unsupported log type "xml"'),
        ("du --log-format xml", 'unsupported log type "xml"'),
        ("--tlsdir d --tlskey k du", "cannot specify tlsdir and tlscacert/tlscert/tlskey at the same time"),
        ("--tlsdir . du", "directory did not contain one of the needed files: ca.pem or ca.crt"),
        ("--tlskey k du", "could not read certificate/key: open : no such file or directory"),
    ],
)
def test_what_other_commands_refuse(line: str, message: str, tmp_path: Path) -> None:
    outcome = run(line, tmp_path)
    assert (outcome.exit, outcome.stdout, outcome.stderr) == (1, "", f"error: {message}\n")
    assert outcome.calls == []


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("docker-container://", "url lacks container name"),
        ("podman-container://", "url lacks container name"),
        ("nerdctl-container://", "url lacks container name"),
        ("kube-pod://p?namespace=N_S", 'unsupported namespace name: "N_S"'),
        ("kube-pod://p?container=C", 'unsupported container name: "C"'),
        ("ssh://h?x=1", 'extra query after the host: "x=1"'),
        ("ssh://h#x", 'extra fragment after the host: "x"'),
        ("npipe:////./pipe/x", "npipe connections are only supported on windows"),
        ("://x", 'parse "://x": missing protocol scheme'),
    ],
)
def test_addresses_that_cannot_be_meant(address: str, message: str, tmp_path: Path) -> None:
    outcome = run_line(["--addr", address, "du"], tmp_path, own_address=True)
    assert (outcome.exit, outcome.stdout, outcome.stderr) == (1, "", f"error: {message}\n")


@pytest.mark.parametrize(
    ("line", "topic"),
    [
        ("nope", "nope"),
        ("-", "-"),
        ("debug nope", "nope"),
        ("help nope", "nope"),
        ("du nope", ""),
        ("help du", ""),
    ],
)
def test_unknown_topics(line: str, topic: str, tmp_path: Path) -> None:
    outcome = run(line, tmp_path) if line != "-" else run_line(["-"], tmp_path)
    assert outcome.exit == (3 if topic else 0)
    assert outcome.stderr == (f"No help topic for '{topic}'\n" if topic else "")


def test_there_are_as_many_rows_as_were_recorded() -> None:
    rows = [*ERRORS, *FLAG_ERRORS, *ATTRS, *EXPORTS, *CACHES, *SERVICES, *FIELDS, *PRUNES]
    assert len(rows) >= 139
