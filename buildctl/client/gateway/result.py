"""What a build comes to: references, one or by platform, with metadata and attestations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from buildctl._pb import gateway_pb2
from buildctl.client.capabilities import Capabilities
from buildctl.client.gateway.forward import references
from buildctl.client.gateway.gateway import Gateway
from buildctl.client.gateway.reference import Reference
from buildctl.errors import UsageError

_CONFIG = "containerimage.config"
_PLATFORMS = "refs.platforms"


@dataclass(frozen=True)
class Subject:
    """What an attestation speaks of."""

    kind: Literal["self", "raw"] = "self"
    name: str = ""
    digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attestation:
    """A statement about a result, in a file of a reference: an in-toto statement, or a bundle of them."""

    path: str
    ref: Reference | None = None
    predicate_type: str = ""
    kind: Literal["in-toto", "bundle"] = "in-toto"
    subjects: tuple[Subject, ...] = ()
    metadata: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One reference, or several by key; none at all is the result of `scratch`.

    Several need `refs.platforms` in the metadata to be exported, which `multi_platform` writes. Its methods
    raise `UsageError` for what cannot be meant.
    """

    ref: Reference | None = None
    refs: Mapping[str, Reference | None] = field(default_factory=dict)
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    attestations: Mapping[str, Sequence[Attestation]] = field(default_factory=dict)

    def single(self) -> Reference:
        """The one reference. Raises `UsageError` where there are several, or none.

        text = await result.single().read_text("/arch")
        """
        if self.ref is None:
            have = f"references for {', '.join(self.refs)}" if self.refs else "nothing: it is of scratch"
            raise UsageError(f"the result is not a single reference; it has {have}")
        return self.ref

    @classmethod
    def image(
        cls, ref: Reference | None, config: Mapping[str, Any] | bytes, *, platform: str = "linux/amd64"
    ) -> Result:
        """A result with an image's configuration: the JSON of OCI's image spec, `config` and the like.

        `os` and `architecture` are those of `platform` unless it names them. Without one exporters
        write an image that has no command, environment or user.

            Result.image(ref, {"config": {"Cmd": ["/bin/sh"]}})
        """
        if not isinstance(config, bytes):
            config = json.dumps({**_platform(platform), **config}).encode()
        return cls(ref=ref, metadata={_CONFIG: config})

    @classmethod
    def multi_platform(cls, by_platform: Mapping[str, Reference | Result]) -> Result:
        """A result of one reference a platform, each as it is or as made by `image`.

        Result.multi_platform({"linux/amd64": one, "linux/arm64": Result.image(other, config)})
        """
        refs: dict[str, Reference | None] = {}
        metadata: dict[str, bytes] = {}
        platforms = []
        for name, one in by_platform.items():
            platforms.append({"ID": name, "Platform": _platform(name)})
            refs[name] = one.ref if isinstance(one, Result) else one
            if isinstance(one, Result):
                metadata |= {f"{key}/{name}": value for key, value in one.metadata.items()}
        metadata[_PLATFORMS] = json.dumps({"Platforms": platforms}).encode()
        return cls(refs=refs, metadata=metadata)


def _platform(text: str) -> dict[str, str]:
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise UsageError(f"invalid platform {text!r}", hint="use OS/CPU, such as linux/amd64 or linux/arm/v7")
    return dict(zip(("os", "architecture", "variant"), parts, strict=False))


def result_of(gateway: Gateway, response: gateway_pb2.SolveResponse) -> Result:
    """The answer of a solve."""

    def reference(message: gateway_pb2.Ref) -> Reference | None:
        return Reference(gateway, message) if message.id else None

    found = references(response)
    message = response.result
    is_one = isinstance(found, gateway_pb2.Ref)
    return Result(
        ref=reference(found) if isinstance(found, gateway_pb2.Ref) else None,
        refs={} if is_one else {name: reference(ref) for name, ref in found.items()},  # type: ignore[union-attr]
        metadata=dict(message.metadata),
        attestations={
            name: tuple(_attestation(one, reference(one.ref)) for one in several.attestation)
            for name, several in message.attestations.items()
        },
    )


def _attestation(message: gateway_pb2.Attestation, ref: Reference | None) -> Attestation:
    return Attestation(
        path=message.path,
        ref=ref,
        predicate_type=message.inTotoPredicateType,
        kind="bundle" if message.kind == gateway_pb2.Bundle else "in-toto",
        subjects=tuple(
            Subject("raw" if one.kind == gateway_pb2.Raw else "self", one.name, tuple(one.digest))
            for one in message.inTotoSubjects
        ),
        metadata=dict(message.metadata),
    )


def result_message(caps: Capabilities, result: Result) -> gateway_pb2.Result:
    """A result in the form in which a daemon takes it. Raises `SolveError` where it takes no several."""
    message = gateway_pb2.Result(metadata=result.metadata)
    has_messages = "proto.refarray" in caps
    if result.refs:
        caps.require("returnmap")
        for name, ref in result.refs.items():
            if has_messages:
                message.refs.refs[name].CopyFrom(ref.message if ref else gateway_pb2.Ref())
            else:
                message.refsDeprecated.refs[name] = ref.id if ref else ""
    elif has_messages:
        message.ref.CopyFrom(result.ref.message if result.ref else gateway_pb2.Ref())
    else:
        message.refDeprecated = result.ref.id if result.ref else ""
    for name, attestations in result.attestations.items():
        message.attestations[name].attestation.extend(map(_attestation_message, attestations))
    return message


def _attestation_message(one: Attestation) -> gateway_pb2.Attestation:
    return gateway_pb2.Attestation(
        kind=gateway_pb2.Bundle if one.kind == "bundle" else gateway_pb2.InToto,
        metadata=one.metadata,
        ref=one.ref.message if one.ref else gateway_pb2.Ref(),
        path=one.path,
        inTotoPredicateType=one.predicate_type,
        inTotoSubjects=[
            gateway_pb2.InTotoSubject(
                kind=gateway_pb2.Raw if subject.kind == "raw" else gateway_pb2.Self,
                name=subject.name,
                digest=subject.digests,
            )
            for subject in one.subjects
        ],
    )
