"""Which registry an image's name leads to. Source: the distribution project's reference, normalize.go."""

from __future__ import annotations

HUB = "docker.io"
_HUB_HOSTS = (HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


def registry_of(image: str) -> str:
    """The host, with its port, of the registry that has the image; `docker.io` where the name has none."""
    first, slash, _ = image.partition("/")
    is_host = slash and (any(one in first for one in ".:") or first == "localhost" or first.lower() != first)
    return canonical_host(first) if is_host else HUB


def canonical_host(host: str) -> str:
    """The host in lower case; every name of Docker Hub is `docker.io`."""
    host = host.lower()
    return HUB if host in _HUB_HOSTS else host
