"""A graph of vertexes becomes a definition: ops in order, each once, with metadata and places in build files.

Rules and order are those of the reference (client/llb/state.go, marshal.go, sourcemap.go), since the same
graph has to give the same bytes. Nothing here calls itself for what an op needs: graphs are deep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterator
from typing import TypeAlias

from buildctl._pb import ops_pb2
from buildctl.llb.base import AnyOutput, Deferred, Encoded, Output, StateBase, Vertex, settled
from buildctl.llb.constraints import Constraints, MarshalOptions, OpMetadata
from buildctl.llb.definition import Definition, SourceLocation, Sources
from buildctl.llb.encode import encode
from buildctl.llb.sourcemap import Location, SourceMap
from buildctl.model.status import SourceInfo

_Steps: TypeAlias = Generator[Deferred, None, Definition]
"""Gives each function that has to be called before it can go on, and in the end the definition."""

_LAST_CAPS = frozenset({"constraints", "platform"})
_IGNORE_CACHE = "meta.ignorecache"
_DESCRIPTION = "meta.description"
_EXPORT_CACHE = "meta.exportcache"


def marshal(state: StateBase, options: MarshalOptions, call_options: MarshalOptions) -> Definition:
    """The definition of the state, `call_options` being those without the state's defaults.

    Raises `AsyncStateError` where a function has to be awaited, and whatever functions raise.
    """
    steps = _steps(state, options, call_options)
    while True:
        try:
            deferred = next(steps)
        except StopIteration as end:
            definition: Definition = end.value
            return definition
        deferred.resolve(options)


async def marshal_async(
    state: StateBase, options: MarshalOptions, call_options: MarshalOptions
) -> Definition:
    """The same, with functions awaited that have to be."""
    steps = _steps(state, options, call_options)
    while True:
        try:
            deferred = next(steps)
        except StopIteration as end:
            definition: Definition = end.value
            return definition
        await deferred.resolve_async(options)


def _steps(state: StateBase, options: MarshalOptions, call_options: MarshalOptions) -> _Steps:
    yield from _settle(state._output)
    output = settled(state._output)
    if output is None:
        return Definition()
    graph = _Graph(options)
    yield from graph.add(output.vertex)
    return (yield from graph.finish_with(output, call_options))


def _settle(output: AnyOutput | None) -> Generator[Deferred]:
    while isinstance(output, Deferred):
        if output.state is None:
            yield output
        assert output.state is not None
        output = output.state._output


class _Metadata:
    """Metadata of one digest, united from all vertexes that have it."""

    __slots__ = ("caps", "description", "export_cache", "ignore_cache", "progress_group", "resources")

    def __init__(self, first: OpMetadata) -> None:
        self.ignore_cache = first.ignore_cache
        self.description = dict(first.description)
        self.export_cache = first.export_cache
        self.caps = first.caps
        self.progress_group = first.progress_group
        self.resources = first.resources

    def unite(self, later: OpMetadata) -> None:
        self.ignore_cache = self.ignore_cache or later.ignore_cache
        self.description.update(later.description)
        self.export_cache = self.export_cache if later.export_cache is None else later.export_cache
        self.caps |= later.caps
        self.progress_group = later.progress_group or self.progress_group
        self.resources = later.resources or self.resources

    def value(self) -> OpMetadata:
        return OpMetadata(
            self.ignore_cache,
            self.description,
            self.export_cache,
            self.caps,
            self.progress_group,
            self.resources,
        )


class _Graph:
    """The definition as far as it is made."""

    def __init__(self, options: MarshalOptions) -> None:
        self.options = options
        self._description = None if options.description is None else dict(options.description)
        """Of the marshal call. Each op's own are written into it, so that later ops have them, too; the
        reference
        does so by accident, and equality is what is promised."""
        self._digests: dict[Vertex, str] = {}
        self._ops: dict[str, bytes] = {}
        self._metadata: dict[str, _Metadata] = {}
        self._infos: dict[tuple[str, str, bytes], int] = {}
        self._maps: list[SourceMap] = []
        self._locations: dict[str, list[SourceLocation]] = {}

    def add(self, root: Vertex) -> Generator[Deferred]:
        """Encode a vertex after all it needs."""
        stack: list[tuple[Vertex, Iterator[AnyOutput]]] = [(root, iter(root.inputs()))]
        while stack:
            vertex, inputs = stack[-1]
            for output in inputs:
                if isinstance(output, Deferred):
                    yield from _settle(output)
                    found = settled(output)
                else:
                    found = output
                if found is not None and found.vertex not in self._digests:
                    stack.append((found.vertex, iter(found.vertex.inputs())))
                    break
            else:
                stack.pop()
                if vertex not in self._digests:
                    for state in vertex.readers():
                        while (waited := state._waits_for()) is not None:
                            yield waited
                    self._enter(vertex, vertex.encode(self))

    def find(self, output: AnyOutput | None) -> tuple[str, int] | None:
        """Digest and index of an output whose vertex has been encoded; None for an empty one."""
        found = settled(output)
        return None if found is None else (self._digests[found.vertex], found.index)

    def finish(
        self,
        op: ops_pb2.Op,
        constraints: Constraints,
        caps: Collection[str],
        *,
        with_platform: bool = False,
    ) -> Encoded:
        """Set what all ops have, and encode."""
        options = self.options
        op.constraints.SetInParent()
        if options.worker_filters or constraints.filters:
            op.constraints.filter.extend(options.worker_filters + constraints.filters)
        if with_platform:
            platform = constraints.platform or options.platform
            op.platform.OS = platform.os
            op.platform.Architecture = platform.architecture
            op.platform.Variant = platform.variant
            op.platform.OSVersion = platform.os_version
            op.platform.OSFeatures.extend(platform.os_features)
        own = constraints.metadata
        if self._description is None:
            description = own.description
        else:
            self._description.update(own.description)
            description = dict(self._description)
        metadata = OpMetadata(
            options.no_cache or own.ignore_cache,
            description,
            options.export_cache if own.export_cache is None else own.export_cache,
            frozenset(caps),
            own.progress_group or options.progress_group,
            own.resources or options.resources,
        )
        return Encoded(encode(op), metadata, constraints.locations)

    def finish_with(self, output: Output, call_options: MarshalOptions) -> _Steps:
        """Name the output that is the result, and give the definition."""
        op = ops_pb2.Op()
        op.inputs.add(digest=self._digests[output.vertex], index=output.index)
        data = encode(op)
        metadata = {digest: each.value() for digest, each in self._metadata.items()}
        caps = set(_LAST_CAPS)
        if any(each.ignore_cache for each in metadata.values()):
            caps.add(_IGNORE_CACHE)
        if any(each.description for each in metadata.values()):
            caps.add(_DESCRIPTION)
        if any(each.export_cache is not None for each in metadata.values()):
            caps.add(_EXPORT_CACHE)
        metadata[_digest(data)] = OpMetadata(caps=frozenset(caps))
        infos: list[SourceInfo] = []
        for source in self._maps:
            definition = b""
            if source.state is not None:
                nested = yield from _steps(source.state, call_options, call_options)
                definition = nested.to_bytes()
            infos.append(SourceInfo(source.filename, source.data, source.language, definition))
        locations = {digest: tuple(places) for digest, places in self._locations.items()}
        return Definition((*self._ops.values(), data), metadata, Sources(tuple(infos), locations))

    def _enter(self, vertex: Vertex, encoded: Encoded) -> None:
        digest = _digest(encoded.data)
        self._digests[vertex] = digest
        self._ops.setdefault(digest, encoded.data)
        if digest in self._metadata:
            self._metadata[digest].unite(encoded.metadata)
        else:
            self._metadata[digest] = _Metadata(encoded.metadata)
        places = self._locations.setdefault(digest, [])
        places.extend(SourceLocation(self._index(place), place.ranges) for place in encoded.locations)

    def _index(self, place: Location) -> int:
        source = place.source
        key = (source.filename, source.language, source.data)
        index = self._infos.setdefault(key, len(self._maps))
        if index == len(self._maps):
            self._maps.append(source)
        return index


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
