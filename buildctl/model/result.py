"""What `Client.build` answers: the exporters' words as values."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from buildctl.model.history import Descriptor
from buildctl.model.status import VertexWarning
from buildctl.model.transfer import Transfer


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A build that succeeded: `result.digest`, `result.metadata["containerimage.descriptor"]`."""

    ref: str
    """The build's id."""
    exporter_response: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the exporters say, as they say it."""
    frontend_metadata: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """What the frontend says of its result."""
    warnings: tuple[VertexWarning, ...] = ()
    """What the daemon warned of, such as lint of the Dockerfile."""
    transfers: tuple[Transfer, ...] = field(default=(), repr=False)
    """What was sent of local directories."""
    duration: float = 0.0
    """Seconds that the build took, by this machine's clock."""

    @property
    def digest(self) -> str | None:
        """The digest of the image's manifest or index; None where no image was exported."""
        return self.exporter_response.get("containerimage.digest") or None

    @property
    def config_digest(self) -> str | None:
        """The digest of the image's configuration; None where there are several, or there is no image."""
        return self.exporter_response.get("containerimage.config.digest") or None

    @property
    def image_names(self) -> tuple[str, ...]:
        """The full names the image has been given: `("docker.io/library/app:latest",)`."""
        names = self.exporter_response.get("image.name", "")
        return tuple(name for name in names.split(",") if name)

    @property
    def descriptor(self) -> Descriptor | None:
        """Media type, digest, size in bytes and annotations of the image; None from BuildKit before 0.11."""
        found = embedded(self.exporter_response.get("containerimage.descriptor", ""))
        if not isinstance(found, dict):
            return None
        annotations = found.get("annotations") or {}
        return Descriptor(
            media_type=str(found.get("mediaType", "")),
            digest=str(found.get("digest", "")),
            size_bytes=int(found.get("size", 0)),
            annotations=annotations,
        )

    @property
    def metadata(self) -> Mapping[str, object]:
        """What the exporters say, with JSON (a descriptor, a provenance statement) as Python values.

        The same as the metadata file of buildx, but for what buildx says of itself.
        """
        return {name: embedded(value, lists=True) for name, value in sorted(self.exporter_response.items())}


_MOST_PARTS = 250_000
"""Values of JSON that are read; the largest provenance has some thousands."""


def embedded(value: str, *, lists: bool = False) -> Any:
    """The non-empty JSON object, or with `lists` list, that a value is base64 of; else the value itself.

    JSON of more than a quarter of a million parts is left as it is: a list of nothing is three bytes, and
    more than twenty times that in memory.
    Source: cmd/buildctl/build.go of BuildKit, writeMetadataFile; buildx adds lists (commands/build.go).
    """
    try:
        text = base64.b64decode(value, validate=True)
        if sum(map(text.count, (b"[", b"{", b","))) > _MOST_PARTS:
            return value
        decoded = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        return value
    return decoded if isinstance(decoded, dict | list if lists else dict) and decoded else value
