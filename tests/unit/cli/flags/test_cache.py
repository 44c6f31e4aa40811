"""`--export-cache` and `--import-cache`: the cases of the reference's tests, and GitHub's environment."""

from __future__ import annotations

import logging

import pytest

from buildctl.cli.flags.cache import parse_export_cache, parse_import_cache
from buildctl.errors import UsageError
from buildctl.model.solve import CacheEntry

GITHUB = {"ACTIONS_CACHE_URL": "http://cache", "ACTIONS_RUNTIME_TOKEN": "secret"}
GITHUB_V2 = {
    "ACTIONS_RESULTS_URL": "http://results",
    "ACTIONS_RUNTIME_TOKEN": "secret",
    "ACTIONS_CACHE_SERVICE_V2": "True",
}


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("type=local,dest=c", CacheEntry("local", {"dest": "c", "mode": "min"})),
        ("type=local,DEST=C,Mode=max", CacheEntry("local", {"dest": "C", "mode": "max"})),
        ("type=inline", CacheEntry("inline", {"mode": "min"})),
        ("type=s3,bucket=b,region=r", CacheEntry("s3", {"bucket": "b", "region": "r", "mode": "min"})),
        ("type=azblob,name=a", CacheEntry("azblob", {"name": "a", "mode": "min"})),
        ("type=registry", CacheEntry("registry", {"mode": "min"})),
        ('type=registry,"ref=a,b"', CacheEntry("registry", {"ref": "a,b", "mode": "min"})),
        ("type=future,x=1,x=2", CacheEntry("future", {"x": "2", "mode": "min"})),
        ("type=gha,url=u,token=t", CacheEntry("gha", {"url": "u", "token": "t", "mode": "min"})),
        ("type=gha,url_v2=u,token=t", CacheEntry("gha", {"url_v2": "u", "token": "t", "mode": "min"})),
    ],
)
def test_export(text: str, entry: CacheEntry) -> None:
    assert parse_export_cache(text, {}) == entry


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("type=local,src=c", CacheEntry("local", {"src": "c"})),
        ("type=registry,ref=a/b:c", CacheEntry("registry", {"ref": "a/b:c"})),
        ("type=gha,url=u,token=", CacheEntry("gha", {"url": "u", "token": ""})),
    ],
)
def test_import(text: str, entry: CacheEntry) -> None:
    assert parse_import_cache(text, {}) == entry


def test_references_of_old(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "buildctl"):
        assert parse_export_cache("a.b/c", {}) == CacheEntry("registry", {"ref": "a.b/c", "mode": "min"})
        assert parse_export_cache("mode=max", {}).attrs == {"ref": "mode=max", "mode": "min"}
        assert parse_import_cache("a.b/c", {}) == CacheEntry("registry", {"ref": "a.b/c"})
    instead = "=registry,ref=<ref>,<opt>=<optval>[,<opt>=<optval>] instead"
    export = f"--export-cache <ref> is deprecated. Please use --export-cache type{instead}"
    assert caplog.messages == [
        export,
        export,
        f"--import-cache <ref> is deprecated. Please use --import-cache type{instead}.",
    ]


@pytest.mark.parametrize(
    ("text", "environ", "attrs"),
    [
        ("type=gha", GITHUB, {"url": "http://cache", "token": "secret"}),
        ("type=gha,url=u,token=t", GITHUB, {"url": "u", "token": "t"}),
        ("type=gha", {**GITHUB, "ACTIONS_CACHE_URL": ""}, {"url": "", "token": "secret"}),
        (
            "type=gha",
            GITHUB_V2,
            {"url": "http://results", "url_v2": "http://results", "token": "secret"},
        ),
        ("type=gha,version=1", GITHUB_V2, {"version": "1", "url": "http://results", "token": "secret"}),
        (
            "type=gha,version=2",
            GITHUB | GITHUB_V2,
            {"version": "2", "url": "http://cache", "url_v2": "http://results", "token": "secret"},
        ),
        (
            "type=gha",
            {**GITHUB_V2, "ACTIONS_CACHE_SERVICE_V2": "yes"},
            {"url": "http://results", "token": "secret"},
        ),
    ],
)
def test_github_actions(text: str, environ: dict[str, str], attrs: dict[str, str]) -> None:
    assert parse_import_cache(text, environ).attrs == attrs
    assert parse_export_cache(text, environ).attrs == {**attrs, "mode": "min"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo=bar,type=", "requires type=<type>"),
        ("type=local,dest", "invalid value dest"),
        ('type=local,de"st=x', 'parse error on line 1, column 14: bare " in non-quoted-field'),
        ("type=gha,token=t", "cache with type gha requires url parameter to be set"),
        ("type=gha,url=u", "cache with type gha requires token parameter or $ACTIONS_RUNTIME_TOKEN"),
    ],
)
def test_refused(text: str, message: str) -> None:
    for parse, flag in ((parse_export_cache, "--export-cache "), (parse_import_cache, "--import-cache ")):
        with pytest.raises(UsageError) as caught:
            parse(text, {})
        assert str(caught.value) == (flag if message.startswith("requires") else "") + message
