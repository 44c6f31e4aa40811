"""What a source is before anything of it is fetched: an image's digest and configuration, a commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from buildctl._pb import gateway_pb2, ops_pb2
from buildctl.client.calls import Method
from buildctl.client.convert.text import valid_text
from buildctl.client.gateway.gateway import Gateway
from buildctl.errors import UsageError

_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
_META = Method(
    _BRIDGE + "ResolveSourceMeta", gateway_pb2.ResolveSourceMetaRequest, gateway_pb2.ResolveSourceMetaResponse
)
_CONFIG = Method(
    _BRIDGE + "ResolveImageConfig",
    gateway_pb2.ResolveImageConfigRequest,
    gateway_pb2.ResolveImageConfigResponse,
)
_META_CAP = "source.metaresolver"
IMAGE = "docker-image://"
LAYOUT = "oci-layout://"


@dataclass(frozen=True)
class SourceOp:
    """A source as a definition names it: `docker-image://`, `git://`, `https://`, `oci-layout://`, `local://`."""

    identifier: str
    attrs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageInfo:
    """An image as its registry has it."""

    ref: str
    digest: str
    config: bytes
    """The JSON of OCI's image spec."""


@dataclass(frozen=True)
class GitInfo:
    """A commit; `commit` is what the ref's tag points at, where that is an annotated one."""

    checksum: str
    ref: str = ""
    commit: str = ""


@dataclass(frozen=True)
class HTTPInfo:
    """A file behind a URL."""

    digest: str
    filename: str = ""
    last_modified: datetime | None = None


@dataclass(frozen=True)
class ResolvedSource:
    """A source with what its host says of it, as far as it is of that kind and the daemon can tell."""

    source: SourceOp
    image: ImageInfo | None = None
    git: GitInfo | None = None
    http: HTTPInfo | None = None


async def resolve_source(
    gateway: Gateway, source: SourceOp, platform: ops_pb2.Platform | None, resolve_mode: str = "default"
) -> ResolvedSource:
    """Ask for a source. Daemons without `source.metaresolver` know of images and layouts alone."""
    if _META_CAP not in gateway.caps:
        if source.identifier.startswith((IMAGE, LAYOUT)):
            return ResolvedSource(source, image=await _image_config(gateway, source, platform, resolve_mode))
        return ResolvedSource(source)
    with valid_text():
        request = gateway_pb2.ResolveSourceMetaRequest(
            Source=ops_pb2.SourceOp(identifier=source.identifier, attrs=source.attrs),
            Platform=platform,
            ResolveMode=resolve_mode,
        )
    answer = await gateway.call(_META, request)
    found = SourceOp(answer.Source.identifier, dict(answer.Source.attrs))
    ref = found.identifier.partition("://")[2]
    http = answer.HTTP
    return ResolvedSource(
        found,
        image=ImageInfo(ref, answer.Image.Digest, answer.Image.Config) if answer.HasField("Image") else None,
        git=GitInfo(answer.Git.Checksum, answer.Git.Ref, answer.Git.CommitChecksum)
        if answer.HasField("Git")
        else None,
        http=HTTPInfo(
            http.Checksum,
            http.Filename,
            http.LastModified.ToDatetime(UTC) if http.HasField("LastModified") else None,
        )
        if answer.HasField("HTTP")
        else None,
    )


async def _image_config(
    gateway: Gateway, source: SourceOp, platform: ops_pb2.Platform | None, resolve_mode: str
) -> ImageInfo:
    gateway.require("resolveimage", "looking up an image")
    scheme, _, ref = source.identifier.partition("://")
    with valid_text():
        request = gateway_pb2.ResolveImageConfigRequest(
            Ref=ref,
            Platform=platform,
            ResolveMode=resolve_mode,
            ResolverType=1 if f"{scheme}://" == LAYOUT else 0,
            SessionID=source.attrs.get("oci.session", ""),
            StoreID=source.attrs.get("oci.store", ""),
        )
    answer = await gateway.call(_CONFIG, request)
    return ImageInfo(answer.Ref or ref, answer.Digest, answer.Config)


def source_in(definition: ops_pb2.Definition) -> SourceOp:
    """The source that a definition is. Raises `UsageError` where it is more than one."""
    ops = [ops_pb2.Op.FromString(data) for data in getattr(definition, "def")]
    if len(ops) != 2 or ops[0].WhichOneof("op") != "source":
        raise UsageError("the state is not one source alone", hint="use llb.image, llb.git, llb.http or such")
    source = ops[0].source
    return SourceOp(source.identifier, dict(source.attrs))
