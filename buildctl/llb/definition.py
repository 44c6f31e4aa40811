"""A whole graph as it is sent: serialized ops with what is known of them beside their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.constraints import OpMetadata, Resources
from buildctl.llb.encode import encode
from buildctl.model.status import Position, ProgressGroup, Range, SourceInfo

if TYPE_CHECKING:
    from buildctl.llb.state import State


class SourceLocation(NamedTuple):
    """Ranges in a build file, which is named by its place in `Sources.infos`."""

    source: int
    ranges: tuple[Range, ...] = ()


class Sources(NamedTuple):
    """Build files, and the places in them that ops come from, by digest of the op."""

    infos: tuple[SourceInfo, ...] = ()
    locations: Mapping[str, tuple[SourceLocation, ...]] = {}


class Op(NamedTuple):
    """One op of a definition, for people and programs to look at."""

    digest: str
    kind: str
    """`source`, `exec`, `file`, `build`, `merge`, `diff` or `passthrough`; empty of the last, which names the
    result."""
    fields: Mapping[str, Any]
    """The op as `buildctl debug dump-llb` prints it."""
    metadata: OpMetadata
    locations: tuple[tuple[SourceInfo, tuple[Range, ...]], ...] = ()
    """Build files and the ranges in them that asked for it."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A graph of ops, ready to be built. Two are equal if all is equal that is in them."""

    ops: tuple[bytes, ...] = ()
    """Serialized ops, each after those it needs; the last one names the result. None: an empty result."""
    metadata: Mapping[str, OpMetadata] = field(default_factory=dict)
    """By digest."""
    sources: Sources | None = None

    def __hash__(self) -> int:
        return hash(self.ops)

    @property
    def digest(self) -> str:
        """The digest of the op that makes the result, `sha256:` and hexadecimal digits; empty for an empty
        result."""
        return self._head()[0]

    @property
    def index(self) -> int:
        """Which of the outputs of that op is the result."""
        return self._head()[1]

    def to_bytes(self) -> bytes:
        """The definition serialized as pb.Definition, for `buildctl build`; equal definitions give equal
        bytes."""
        return encode(_message(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Definition:
        """A serialized pb.Definition, whoever made it; the bytes of its ops stay as they are. Raises
        `UsageError`."""
        from buildctl.llb.loaded import read_definition

        return read_definition(data)

    def state(self) -> State:
        """The result, to go on from: folder `/`, no variables, and no platform. Raises `UsageError`."""
        from buildctl.llb.loaded import load
        from buildctl.llb.state import State

        return State(load(self))

    def dump(self) -> Iterator[Op]:
        """Each op, in order. Raises `UsageError` where one cannot be read."""
        from buildctl.llb.loaded import dump

        return dump(self)

    def __repr__(self) -> str:
        return f"Definition({self.digest or 'empty'}, {len(self.ops)} ops)"

    def _head(self) -> tuple[str, int]:
        if not self.ops:
            return "", 0
        from buildctl.llb.read import decode_op

        op = decode_op(self.ops[-1], "failed to parse llb proto op: ")
        if len(op.inputs) != 1 or op.WhichOneof("op"):
            raise UsageError("the last op of a definition has to name the result, and nothing else")
        return op.inputs[0].digest, op.inputs[0].index


def digest_of(op: bytes) -> str:
    """How other ops name it."""
    return f"sha256:{hashlib.sha256(op).hexdigest()}"


def _message(definition: Definition) -> ops_pb2.Definition:
    made = ops_pb2.Definition()
    getattr(made, "def").extend(definition.ops)  # the field's name is a keyword here
    for digest, metadata in definition.metadata.items():
        _write_metadata(made.metadata[digest], metadata)
    if definition.sources is not None:
        _write_sources(made.Source, definition.sources)
    return made


def _write_metadata(made: ops_pb2.OpMetadata, metadata: OpMetadata) -> None:
    made.SetInParent()
    made.ignore_cache = metadata.ignore_cache
    made.description.update(metadata.description)
    if metadata.export_cache is not None:
        made.export_cache.SetInParent()
        made.export_cache.Value = metadata.export_cache
    for cap in metadata.caps:
        made.caps[cap] = True
    if metadata.progress_group is not None:
        group = metadata.progress_group
        made.progress_group.CopyFrom(ops_pb2.ProgressGroup(id=group.id, name=group.name, weak=group.weak))
    if metadata.resources is not None:
        limits = metadata.resources
        made.linux_resources.CopyFrom(
            ops_pb2.LinuxResources(
                memory=limits.memory,
                memorySwap=limits.memory_swap,
                cpuShares=limits.cpu_shares,
                cpuPeriod=limits.cpu_period,
                cpuQuota=limits.cpu_quota,
                cpusetCpus=limits.cpuset_cpus,
                cpusetMems=limits.cpuset_mems,
            )
        )


def _write_sources(made: ops_pb2.Source, sources: Sources) -> None:
    made.SetInParent()
    for info in sources.infos:
        entry = made.infos.add(filename=info.filename, data=info.data, language=info.language)
        if info.definition:
            entry.definition.MergeFromString(info.definition)
    for digest, locations in sources.locations.items():
        places = made.locations[digest]
        for location in locations:
            place = places.locations.add(sourceIndex=location.source)
            for each in location.ranges:
                place.ranges.add(start=_position(each.start), end=_position(each.end))


def _position(position: Position) -> ops_pb2.Position:
    return ops_pb2.Position(line=position.line, character=position.character)


def read_metadata(message: ops_pb2.OpMetadata) -> OpMetadata:
    """The known fields."""
    group, limits = message.progress_group, message.linux_resources
    return OpMetadata(
        message.ignore_cache,
        dict(message.description),
        message.export_cache.Value if message.HasField("export_cache") else None,
        frozenset(message.caps),
        ProgressGroup(group.id, group.name, group.weak) if message.HasField("progress_group") else None,
        Resources(
            limits.memory,
            limits.memorySwap,
            limits.cpuShares,
            limits.cpuPeriod,
            limits.cpuQuota,
            limits.cpusetCpus,
            limits.cpusetMems,
        )
        if message.HasField("linux_resources")
        else None,
    )
