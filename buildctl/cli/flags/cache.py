"""`--export-cache` and `--import-cache`. Sources: build/exportcache.go, importcache.go, util.go."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from buildctl.cli.flags.csv import parse_attributes
from buildctl.errors import UsageError
from buildctl.model.boolean import parse_bool
from buildctl.model.solve import CacheEntry

_HINT = "for example type=registry,ref=registry.example/name or type=local,%s=DIRECTORY"
_LEGACY = (
    "%s <ref> is deprecated. Please use %s type=registry,ref=<ref>,<opt>=<optval>[,<opt>=<optval>] instead%s"
)

_LOG = logging.getLogger("buildctl")


def parse_export_cache(text: str, environ: Mapping[str, str]) -> CacheEntry:
    """A cache to export to; `mode` is `min` where it is not given.

    A text without `type=` is a registry's reference, as before BuildKit 0.4, and a warning is logged.
    Raises `UsageError`.
    """
    if "type=" not in text:
        _LOG.warning(_LEGACY, "--export-cache", "--export-cache", "")
        return CacheEntry("registry", {"mode": "min", "ref": text})
    kind, attrs = _typed(text, "--export-cache", "dest")
    attrs.setdefault("mode", "min")
    return CacheEntry(kind, _with_github(attrs, environ) if kind == "gha" else attrs)


def parse_import_cache(text: str, environ: Mapping[str, str]) -> CacheEntry:
    """A cache to import from; without `type=` as for `parse_export_cache`. Raises `UsageError`."""
    if "type=" not in text:
        _LOG.warning(_LEGACY, "--import-cache", "--import-cache", ".")
        return CacheEntry("registry", {"ref": text})
    kind, attrs = _typed(text, "--import-cache", "src")
    return CacheEntry(kind, _with_github(attrs, environ) if kind == "gha" else attrs)


def _typed(text: str, flag: str, folder: str) -> tuple[str, dict[str, str]]:
    attrs = parse_attributes(text)
    kind = attrs.pop("type", "")
    if not kind:
        raise UsageError(f"{flag} requires type=<type>", hint=_HINT % folder)
    return kind, attrs


def _with_github(attrs: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The attributes with what a GitHub Actions job has in its environment, where they do not say it."""
    attrs = dict(attrs)
    version = attrs.get("version")
    if version is None and _is_true(environ.get("ACTIONS_CACHE_SERVICE_V2", "")):
        version = "2"
    results = environ.get("ACTIONS_RESULTS_URL")
    if version == "2" and results is not None:
        attrs.setdefault("url_v2", results)
    url = environ.get("ACTIONS_CACHE_URL", results)
    if url is not None:
        attrs.setdefault("url", url)
    if "url" not in attrs and "url_v2" not in attrs:
        raise UsageError(
            "cache with type gha requires url parameter to be set",
            hint="it is set by itself in a GitHub Actions job that exposes its runtime",
        )
    token = attrs.get("token", environ.get("ACTIONS_RUNTIME_TOKEN"))
    if token is None:
        raise UsageError("cache with type gha requires token parameter or $ACTIONS_RUNTIME_TOKEN")
    return {**attrs, "token": token}


def _is_true(text: str) -> bool:
    try:
        return parse_bool(text)
    except UsageError:
        return False
