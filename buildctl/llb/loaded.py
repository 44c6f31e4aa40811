"""A definition becomes a graph again, whose ops keep the bytes they came with (client/llb/definition.go)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.base import Encoded, Inputs, Output, Vertex
from buildctl.llb.constraints import OpMetadata
from buildctl.llb.definition import Definition, Op, SourceLocation, Sources, digest_of, read_metadata
from buildctl.llb.read import decode_definition, decode_op
from buildctl.llb.sourcemap import Location, SourceMap
from buildctl.model.status import Position, Range, SourceInfo

_OP_PREFIX = "failed to parse llb proto op: "


class _Loaded:
    """What all vertexes of one definition share."""

    def __init__(self, definition: Definition) -> None:
        self.metadata = definition.metadata
        self.data = {digest_of(op): op for op in definition.ops}
        self.ops = {digest: decode_op(op, _OP_PREFIX) for digest, op in self.data.items()}
        self.vertexes: dict[tuple[str, int], Output] = {}
        sources = definition.sources or Sources()
        maps = [_source_map(info) for info in sources.infos]
        self.locations: dict[str, tuple[Location, ...]] = {}
        for digest, places in sources.locations.items():
            for place in places:
                if not 0 <= place.source < len(maps):
                    raise UsageError(f"failed to find source map with index {place.source}")
            self.locations[digest] = tuple(Location(maps[place.source], place.ranges) for place in places)

    def output(self, digest: str, index: int) -> Output:
        """The one vertex for this output of an op; the reference, too, has as many as there are outputs."""
        if digest not in self.ops:
            raise UsageError(f'invalid definition op with unknown op "{digest}"')
        if index < 0:
            raise UsageError("invalid definition op with invalid index")
        if (digest, index) not in self.vertexes:
            self.vertexes[digest, index] = Output(_LoadedVertex(self, digest), index)
        return self.vertexes[digest, index]


class _LoadedVertex(Vertex):
    __slots__ = ("_digest", "_loaded")

    def __init__(self, loaded: _Loaded, digest: str) -> None:
        self._loaded = loaded
        self._digest = digest

    def inputs(self) -> Iterable[Output]:
        return (
            self._loaded.output(each.digest, each.index) for each in self._loaded.ops[self._digest].inputs
        )

    def encode(self, graph: Inputs) -> Encoded:
        loaded = self._loaded
        return Encoded(
            loaded.data[self._digest],
            loaded.metadata.get(self._digest, OpMetadata()),
            loaded.locations.get(self._digest, ()),
        )


def load(definition: Definition) -> Output | None:
    """The result of a definition; None of an empty one. Raises `UsageError` for what is not a graph."""
    digest = definition.digest
    return _Loaded(definition).output(digest, definition.index) if digest else None


def read_definition(data: bytes) -> Definition:
    """A serialized pb.Definition. Raises `UsageError`."""
    return _definition(decode_definition(data, ""))


def dump(definition: Definition) -> Iterator[Op]:
    """Each op as a value."""
    from buildctl.llb.dump import op_fields

    sources = definition.sources or Sources()
    for data in definition.ops:
        op, digest = decode_op(data, _OP_PREFIX), digest_of(data)
        places = sources.locations.get(digest, ())
        yield Op(
            digest,
            op.WhichOneof("op") or "",
            op_fields(op),
            definition.metadata.get(digest, OpMetadata()),
            tuple((sources.infos[place.source], place.ranges) for place in places),
        )


def _definition(message: ops_pb2.Definition) -> Definition:
    sources = None
    if message.HasField("Source"):
        sources = Sources(
            tuple(_source_info(info) for info in message.Source.infos),
            {
                digest: tuple(
                    SourceLocation(place.sourceIndex, tuple(map(_range, place.ranges)))
                    for place in places.locations
                )
                for digest, places in message.Source.locations.items()
            },
        )
    return Definition(
        tuple(getattr(message, "def")),
        {digest: read_metadata(metadata) for digest, metadata in message.metadata.items()},
        sources,
    )


def _source_info(info: ops_pb2.SourceInfo) -> SourceInfo:
    definition = _definition(info.definition).to_bytes() if info.HasField("definition") else b""
    return SourceInfo(info.filename, info.data, info.language, definition)


def _range(each: ops_pb2.Range) -> Range:
    return Range(Position(each.start.line, each.start.character), Position(each.end.line, each.end.character))


def _source_map(info: SourceInfo) -> SourceMap:
    state = read_definition(info.definition).state() if info.definition else None
    return SourceMap(info.filename, info.data, language=info.language, state=state)
