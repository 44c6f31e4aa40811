"""Ops that only combine results: merge, diff, passthrough, and building a definition that is a result."""

from __future__ import annotations

from collections.abc import Iterable

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.base import AnyOutput, Encoded, Inputs, Vertex
from buildctl.llb.constraints import Constraints

_LLB_BUILDER = -1
_DEFINITION_INPUT = "buildkit.llb.definition"


class MergeVertex(Vertex):
    """Results on top of one another (client/llb/merge.go)."""

    __slots__ = ("_constraints", "_inputs")

    def __init__(self, inputs: tuple[AnyOutput, ...], constraints: Constraints) -> None:
        self._inputs = inputs
        self._constraints = constraints

    def inputs(self) -> Iterable[AnyOutput]:
        return self._inputs

    def encode(self, graph: Inputs) -> Encoded:
        op = ops_pb2.Op()
        op.merge.SetInParent()
        for output in self._inputs:
            if (found := graph.find(output)) is not None:
                op.merge.inputs.add(input=len(op.inputs)).SetInParent()
                op.inputs.add(digest=found[0], index=found[1])
        if len(op.inputs) < 2:
            raise UsageError("merge must have at least 2 inputs")
        return graph.finish(op, self._constraints, ("mergeop",))


class DiffVertex(Vertex):
    """What one result has that another has not (client/llb/diff.go)."""

    __slots__ = ("_constraints", "_lower", "_upper")

    def __init__(self, lower: AnyOutput, upper: AnyOutput | None, constraints: Constraints) -> None:
        self._lower = lower
        self._upper = upper
        self._constraints = constraints

    def inputs(self) -> Iterable[AnyOutput]:
        return (self._lower,) if self._upper is None else (self._lower, self._upper)

    def encode(self, graph: Inputs) -> Encoded:
        op = ops_pb2.Op()
        for side, output in ((op.diff.lower, self._lower), (op.diff.upper, self._upper)):
            side.SetInParent()
            side.input = -1
            if (found := graph.find(output)) is not None:
                side.input = len(op.inputs)
                op.inputs.add(digest=found[0], index=found[1])
        return graph.finish(op, self._constraints, ("diffop",))


class PassthroughVertex(Vertex):
    """Results that wait for others (client/llb/passthrough.go)."""

    __slots__ = ("_constraints", "_id", "_inputs", "_outputs")

    def __init__(
        self,
        id: str,  # noqa: A002 - the field's name
        inputs: tuple[AnyOutput, ...],
        outputs: tuple[int, ...],
        constraints: Constraints,
    ) -> None:
        if not inputs:
            raise UsageError("passthrough must have at least one input")
        if not id:
            raise UsageError("passthrough requires an id")
        if not outputs:
            raise UsageError("passthrough must have at least one output")
        self._id = id
        self._inputs = inputs
        self._outputs = outputs
        self._constraints = constraints

    def inputs(self) -> Iterable[AnyOutput]:
        return self._inputs

    def encode(self, graph: Inputs) -> Encoded:
        op = ops_pb2.Op()
        op.passthrough.id = self._id
        for output in self._inputs:
            if (found := graph.find(output)) is None:
                raise UsageError("an input of a passthrough has turned out to be empty")
            op.inputs.add(digest=found[0], index=found[1])
        op.passthrough.outputs.extend(self._outputs)
        return graph.finish(op, self._constraints, ("passthroughop",))


class BuildVertex(Vertex):
    """The result of a definition that is a file in another result (client/llb/llbbuild)."""

    __slots__ = ("_constraints", "_filename", "_source")

    def __init__(self, source: AnyOutput, filename: str, constraints: Constraints) -> None:
        self._source = source
        self._filename = filename
        self._constraints = constraints

    def inputs(self) -> Iterable[AnyOutput]:
        return (self._source,)

    def encode(self, graph: Inputs) -> Encoded:
        op = ops_pb2.Op()
        op.build.builder = _LLB_BUILDER
        op.build.inputs[_DEFINITION_INPUT].input = 0
        if self._filename:
            op.build.attrs["llbbuild.filename"] = self._filename
        if (found := graph.find(self._source)) is None:
            raise UsageError("there is no definition to build in an empty state")
        op.inputs.add(digest=found[0], index=found[1])
        caps = ("source.buildop.llbfilename",)
        return graph.finish(op, self._constraints, caps, with_platform=True)
