"""The text of `--metadata-file`: what the exporters answered, as the reference writes it.

A value that is base64 of a non-empty JSON object (a descriptor, a provenance statement) is embedded as that
object, its keys in their own order. Source: cmd/buildctl/build.go, writeMetadataFile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from buildctl.model.gojson import encode


def format_metadata(response: Mapping[str, str], mask: Callable[[str], str] = str) -> bytes:
    """A JSON object with sorted keys, two spaces a level, no newline at the end; `mask` hides secrets."""
    return encode({mask(key): _member(value, mask) for key, value in sorted(response.items())}, indent=2)


def _member(value: str, mask: Callable[[str], str]) -> Any:
    try:
        member = _masked(_embedded(value), mask)
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


def _embedded(value: str) -> Any:
    try:
        decoded = json.loads(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return value
    return decoded if isinstance(decoded, dict) and decoded else value
