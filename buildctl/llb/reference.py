"""References to images, normalized as `docker pull` does it (github.com/distribution/reference)."""

from __future__ import annotations

import re
from typing import NamedTuple

from buildctl.errors import UsageError

_HEX_NAME = re.compile(r"[a-f0-9]{64}\Z")
_DOMAIN_PART = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?(?P<path>{_PART}(?:/{_PART})*))"
    rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?\Z"
)
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_MAX_PATH = 255


class Reference(NamedTuple):
    """A repository with its host, and a tag, a digest, both or neither."""

    name: str
    tag: str = ""
    digest: str = ""

    def with_default_tag(self) -> Reference:
        """With the tag `latest` if there is neither tag nor digest."""
        return self if self.tag or self.digest else self._replace(tag="latest")

    def with_digest(self, digest: str) -> Reference:
        """With that digest, unless it is empty. Raises `UsageError` for what is not one."""
        if digest and not re.fullmatch(_DIGEST, digest):
            raise UsageError("invalid digest format")
        return self._replace(digest=digest) if digest else self

    def __str__(self) -> str:
        return f"{self.name}{':' if self.tag else ''}{self.tag}{'@' if self.digest else ''}{self.digest}"


def parse_reference(text: str) -> Reference:
    """The reference with host and path spelt out. Raises `UsageError` with the library's words."""
    if _HEX_NAME.match(text):
        raise UsageError(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, rest = _split_domain(text)
    repository = rest.partition(":")[0]
    if repository.lower() != repository:
        raise UsageError(f"invalid reference format: repository name ({repository}) must be lowercase")
    matched = _REFERENCE.match(f"{domain}/{rest}")
    if matched is None:
        if _REFERENCE.match(f"{domain}/{rest}".lower()):
            raise UsageError("repository name must be lowercase")
        raise UsageError("invalid reference format")
    if len(matched["path"]) > _MAX_PATH:
        raise UsageError(f"repository name must not be more than {_MAX_PATH} characters")
    digest = matched["digest"] or ""
    if digest:
        _check_digest(digest)
    return Reference(matched["name"], matched["tag"] or "", digest)


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if not slash:
        return "docker.io", f"library/{text}"
    if first == "index.docker.io":
        first = "docker.io"
    elif first != "localhost" and not re.search("[.:]", first) and first.lower() == first:
        first, rest = "docker.io", text
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def _check_digest(digest: str) -> None:
    """What github.com/opencontainers/go-digest says of it."""
    algorithm, _, digits = digest.partition(":")
    if algorithm not in _DIGEST_LENGTHS:
        raise UsageError("unsupported digest algorithm")
    if len(digits) != _DIGEST_LENGTHS[algorithm]:
        raise UsageError("invalid checksum digest length")
    if not re.fullmatch("[a-f0-9]+", digits):
        raise UsageError("invalid checksum digest format")
