"""The text of `--metadata-file`: what the exporters answered, as the reference writes it.

A value that is base64 of a non-empty JSON object (a descriptor, a provenance statement) is embedded as that
object, its keys in their own order. Source: cmd/buildctl/build.go, writeMetadataFile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from buildctl.model.gojson import encode


def format_metadata(response: Mapping[str, str]) -> bytes:
    """A JSON object with sorted keys, two spaces a level, no newline at the end."""
    return encode({key: _embedded(value) for key, value in sorted(response.items())}, indent=2)


def _embedded(value: str) -> Any:
    try:
        decoded = json.loads(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return value
    return decoded if isinstance(decoded, dict) and decoded else value
