"""The text of `--metadata-file`: what the exporters answered, as the reference writes it.

A value that is base64 of a non-empty JSON object (a descriptor, a provenance statement) is embedded as that
object, its keys in their own order. Source: cmd/buildctl/build.go, writeMetadataFile.
"""

from __future__ import annotations

from collections.abc import Mapping

from buildctl.model.gojson import encode
from buildctl.model.result import embedded


def format_metadata(response: Mapping[str, str]) -> bytes:
    """A JSON object with sorted keys, two spaces a level, no newline at the end."""
    return encode({key: embedded(value) for key, value in sorted(response.items())}, indent=2)
