"""A state without its methods: a result of the graph, and the values for what comes after.

The ops are built on this, and `State` on the ops.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from buildctl.errors import AsyncStateError, UsageError
from buildctl.llb.constraints import Constraints, MarshalOptions, OpMetadata
from buildctl.llb.values import INITIAL, Change, Values
from buildctl.model.platform import Platform

if TYPE_CHECKING:
    from buildctl._pb import ops_pb2
    from buildctl.llb.sourcemap import Location


class Output:
    """One of the results of a vertex."""

    __slots__ = ("index", "platform", "vertex")

    def __init__(self, vertex: Vertex, index: int = 0, platform: Platform | None = None) -> None:
        self.vertex = vertex
        self.index = index
        self.platform = platform
        """That of the constraints with which the op was made, if it had one."""


class Encoded(NamedTuple):
    """A vertex as it goes into a definition."""

    data: bytes
    metadata: OpMetadata
    locations: tuple[Location, ...]


class Inputs(Protocol):
    """What a vertex may ask while it is encoded."""

    options: MarshalOptions

    def find(self, output: AnyOutput | None) -> tuple[str, int] | None:
        """Digest and index of an output that is encoded already; None for an empty one."""
        ...

    def finish(
        self,
        op: ops_pb2.Op,
        constraints: Constraints,
        caps: Collection[str],
        *,
        with_platform: bool = False,
    ) -> Encoded:
        """The bytes of an op whose own fields are set, and its metadata."""
        ...


class Vertex:
    """A node of the graph, compared by identity. Its inputs never change, so that there are no cycles."""

    __slots__ = ()

    def inputs(self) -> Iterable[AnyOutput]:
        """What it needs, in the order in which ops are put into a definition."""
        return ()

    def readers(self) -> Iterable[StateBase]:
        """States whose values it reads when it is encoded."""
        return ()

    def encode(self, graph: Inputs) -> Encoded:
        """Its op, once all inputs are encoded."""
        raise NotImplementedError


class Deferred:
    """The output of a state that a function is to make, which is called once."""

    __slots__ = ("_error", "_function", "_state", "state")

    def __init__(self, function: Callable[..., Any], state: StateBase) -> None:
        self._function = function
        self._state = state
        self._error: BaseException | None = None
        self.state: StateBase | None = None
        """The result, once there is one."""

    def resolve(self, options: MarshalOptions) -> None:
        """Call the function, which must not be a coroutine's. Raises what it raises, each time."""
        result = self._call(options)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise AsyncStateError("a state is not known before its function has been awaited")
        self._settle(result)

    async def resolve_async(self, options: MarshalOptions) -> None:
        """Call the function and await what it gives. Raises what it raises, each time."""
        result = self._call(options)
        if inspect.isawaitable(result):
            try:
                result = await result
            except Exception as error:
                self._error = error
                raise
        self._settle(result)

    def _call(self, options: MarshalOptions) -> object:
        if self._error is not None:
            raise self._error
        try:
            return self._function(*((self._state, options)[: _positional(self._function)]))
        except Exception as error:
            self._error = error
            raise

    def _settle(self, result: object) -> None:
        if not isinstance(result, StateBase):
            raise TypeError(f"the function of async_ must give a State, not {type(result).__name__}")
        if self in result._deferred():
            raise UsageError("the function of async_ gives a state that is made of its own result")
        self.state = result


AnyOutput: TypeAlias = Output | Deferred


class StateBase:
    """An output, or none, and values; either may have to wait for a function."""

    __slots__ = ("__weakref__", "_change", "_defaults", "_output", "_parent", "_values")

    def __init__(
        self,
        output: AnyOutput | None,
        values: Values | None = INITIAL,
        parent: StateBase | Deferred | None = None,
        change: Change | None = None,
    ) -> None:
        self._output = output
        self._values = values
        """None where they are to be found from those of `_parent`."""
        self._parent = parent
        self._change = change
        self._defaults: Mapping[str, Any] = {}

    def _known(self) -> Values:
        """The values. Raises `AsyncStateError` where they wait for a function."""
        if self._values is not None:
            return self._values
        waiting: list[StateBase] = []
        state: StateBase = self
        while state._values is None:
            waiting.append(state)
            parent = state._parent
            if isinstance(parent, Deferred):
                if parent.state is None:
                    raise AsyncStateError(
                        "the state is not known yet: a function is to make it when it is marshalled"
                    )
                parent = parent.state
            assert parent is not None
            state = parent
        values = state._values
        for state in reversed(waiting):
            values = values if state._change is None else state._change(values)
            state._values, state._parent, state._change = values, None, None
        return values

    def _waits_for(self) -> Deferred | None:
        """The function that has to be called before the values are known."""
        state = self
        while state._values is None:
            parent = state._parent
            if isinstance(parent, Deferred):
                if parent.state is None:
                    return parent
                parent = parent.state
            assert parent is not None
            state = parent
        return None

    def _deferred(self) -> list[Deferred]:
        """What output and values hang on, as far as it is known."""
        found: list[Deferred] = []
        output = self._output
        while isinstance(output, Deferred):
            found.append(output)
            output = output.state._output if output.state is not None else None
        waited = self._waits_for()
        return found if waited is None else [*found, waited]


def settled(output: AnyOutput | None) -> Output | None:
    """What a deferred output has turned out to be."""
    while isinstance(output, Deferred):
        assert output.state is not None
        output = output.state._output
    return output


def _positional(function: Callable[..., Any]) -> int:
    """Whether the function takes the state alone, or the options, too."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return 2
    needed = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return 2 if len(needed) > 1 and needed[1].default is needed[1].empty else 1
