"""The text of `--metadata-file`: what the exporters answered, as the reference writes it.

A value that is base64 of a non-empty JSON object (a descriptor, a provenance statement) is embedded as that
object, its keys in their own order. Source: cmd/buildctl/build.go, writeMetadataFile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from buildctl.model.gojson import encode
from buildctl.model.result import embedded


def format_metadata(response: Mapping[str, str], mask: Callable[[str], str] = str) -> bytes:
    """A JSON object with sorted keys, two spaces a level, no newline at the end; `mask` hides secrets."""
    return encode({mask(key): _member(value, mask) for key, value in sorted(response.items())}, indent=2)


def _member(value: str, mask: Callable[[str], str]) -> Any:
    try:
        member = _masked(embedded(value), mask)
        encode(member)
    except RecursionError:  # what is nested so deep is no descriptor
        return mask(value)
    return member


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    """The value with its texts masked, the keys of objects too. JSON that was read is not nested deep."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): _masked(member, mask) for key, member in value.items()}
    return [_masked(member, mask) for member in value] if isinstance(value, list) else value
