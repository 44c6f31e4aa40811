"""Functions that make one state of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from buildctl.llb import arguments
from buildctl.llb.base import AnyOutput, Output
from buildctl.llb.constraints import ConstraintArgs, constraints_of
from buildctl.llb.execop import state_argument
from buildctl.llb.state import State
from buildctl.llb.vertexes import DiffVertex, MergeVertex, PassthroughVertex


def merge(*states: State, **constraints: Unpack[ConstraintArgs]) -> State:
    """The files of all states, later ones over earlier ones, without copying; values are those of the first.

    Empty states are left out; of one that is left it is that one.
    """
    checked = constraints_of(constraints)
    given = [state_argument(f"states[{index}]", state) for index, state in enumerate(states)]
    filled: list[State] = [state for state in given if state._output is not None]
    if len(filled) < 2:
        return filled[0] if filled else State.of(None)
    outputs: tuple[AnyOutput, ...] = tuple(state._output for state in filled if state._output is not None)
    return filled[0]._with_output(Output(MergeVertex(outputs, checked)))


def diff(lower: State, upper: State, **constraints: Unpack[ConstraintArgs]) -> State:
    """What `upper` changes of `lower`, to be merged with something else; values are those of `lower`."""
    checked = constraints_of(constraints)
    below, above = state_argument("lower", lower)._output, state_argument("upper", upper)._output
    if below is None:
        return State.of(None) if above is None else upper
    return lower._with_output(Output(DiffVertex(below, above, checked)))


def passthrough(
    id: str,  # noqa: A002 - Go's name
    inputs: Sequence[tuple[State, bool]],
    **constraints: Unpack[ConstraintArgs],
) -> list[State]:
    """The states that are paired with True, each of which is there only when all of them are; newest
    daemons only.

    Empty states are left out.
    """
    checked = constraints_of(constraints)
    outputs: list[AnyOutput] = []
    wanted: list[int] = []
    for index, pair in enumerate(arguments.sequence("inputs", inputs, "pairs")):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise arguments.wrong_type(f"inputs[{index}]", "a pair of State and bool", pair)
        state = state_argument(f"inputs[{index}][0]", pair[0])
        is_output = arguments.flag(f"inputs[{index}][1]", pair[1])
        if state._output is not None:
            if is_output:
                wanted.append(len(outputs))
            outputs.append(state._output)
    vertex = PassthroughVertex(arguments.text("id", id), tuple(outputs), tuple(wanted), checked)
    return [State.of(Output(vertex, index)) for index in range(len(wanted))]
