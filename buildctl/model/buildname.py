"""A build's name for people: where it was built from, by what its record says."""

from __future__ import annotations

import posixpath

from buildctl.model.history import BuildRecord


def build_name(record: BuildRecord) -> str:
    """`BUILDKIT_BUILD_NAME` where it is given; else context, file and target, else the frontend, or `-`."""
    attrs = record.frontend_attrs
    if given := attrs.get("build-arg:BUILDKIT_BUILD_NAME"):
        return given
    place = (
        attrs.get("context") or _local(attrs.get("vcs:localdir:context", "")) or attrs.get("vcs:source", "")
    )
    file = posixpath.join(
        _local(attrs.get("vcs:localdir:dockerfile", "")), attrs.get("filename", "Dockerfile")
    )
    parts = [place] if place else []
    if file != "Dockerfile":
        parts.append(file)
    if target := attrs.get("target"):
        parts.append(f"({target})")
    return " ".join(parts) or record.frontend or "-"


def _local(path: str) -> str:
    """A folder that says something."""
    return "" if path == "." else path
