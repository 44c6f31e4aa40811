"""The shape of a build: its stages as branches in dependency order, their steps in the build file's.

BuildKit sends a flat graph; the stages exist only in the names that its Dockerfile frontend gives, such as
`[linux/amd64 base 2/3] COPY a b` or `[internal] load .dockerignore`. A vertex named otherwise (`exporting to
image`, or anything of another frontend) stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.visible import visible

INTERNAL = "internal"
_NAME_LIMIT = 4096  # characters of a name that are ever looked at

_BRACKETED = re.compile(r"\[(?P<scope>[^\[\]]+)\] (?P<rest>.*)", re.DOTALL)
_NUMBERED = re.compile(r"(?:(?P<stage>.*) )? *(?P<number>\d{1,6})/(?P<total>\d{1,6})", re.DOTALL)


class StepName(NamedTuple):
    """What a vertex's name says, ready to be shown."""

    stage: str
    """Empty: the vertex belongs to no stage."""
    label: str
    """The name within the stage."""
    number: int = 0
    """Its place in the stage, from 1; 0 where it has none."""


@dataclass(slots=True, eq=False)
class Step:
    """A vertex in its branch."""

    vertex: VertexTrace
    name: StepName


@dataclass(slots=True, eq=False)
class Branch:
    """A stage and its steps in order; without a name, steps that belong to no stage."""

    name: str
    steps: list[Step] = field(default_factory=list)


def grow(trace: Trace, *, ascii_only: bool = False) -> list[Branch]:
    """The tree of all vertexes known to the trace, hidden groups excepted."""
    vertexes = [vertex for vertex in dict.fromkeys(trace.by_digest.values()) if not vertex.hidden]
    branches: dict[str, Branch] = {}
    branch_of: dict[VertexTrace, Branch] = {}
    for vertex in vertexes:
        name = parse_name(vertex.name[:_NAME_LIMIT], ascii_only)
        # The space keeps a digest and a stage's name apart: no stage's name begins with one.
        branch = branches.setdefault(name.stage or " " + vertex.digest, Branch(name.stage))
        branch.steps.append(Step(vertex, name))
        branch_of[vertex] = branch
    for branch in branches.values():
        branch.steps.sort(key=lambda step: step.name.number)
    ordered = _in_dependency_order(branches.values(), branch_of, trace)
    return _joined(sorted(ordered, key=lambda branch: branch.name != INTERNAL))


@lru_cache(maxsize=8192)
def parse_name(name: str, ascii_only: bool = False) -> StepName:
    """Take a vertex's name apart, and make it safe to show."""

    def shown(text: str) -> str:
        return visible(text, ascii_only=ascii_only)

    bracketed = _BRACKETED.fullmatch(name)
    if bracketed is None:
        return StepName("", shown(name))
    scope, rest = bracketed["scope"], bracketed["rest"]
    if numbered := _NUMBERED.fullmatch(scope):
        number, total = numbered["number"], numbered["total"]
        label = f"{number:>{len(total)}}/{total} {rest}"
        # A build file with a single, unnamed stage: BuildKit writes `[2/3] RUN …`.
        return StepName(shown((numbered["stage"] or "").strip() or "build"), shown(label), int(number))
    prefix, _, last = scope.rpartition(" ")
    if last == INTERNAL:
        return StepName(INTERNAL, shown(f"{prefix} {rest}" if prefix else rest))
    if scope == "auth":
        return StepName(INTERNAL, shown(f"auth {rest}"))
    return StepName(shown(scope.strip()), shown(rest))


def _in_dependency_order(
    branches: Iterable[Branch], branch_of: dict[VertexTrace, Branch], trace: Trace
) -> list[Branch]:
    """Each branch after those it takes inputs from, as far as the graph of stages has no cycle.

    Depth first along the inputs in their order: that finds the stages in the build file's order, while the
    order of announcement differs between versions of BuildKit.
    """
    ordered: list[Branch] = []
    seen: set[Branch] = set()
    for root in branches:
        if root in seen:
            continue
        seen.add(root)
        path = [(root, iter(_inputs(root, branch_of, trace)))]
        while path:
            branch, inputs = path[-1]
            for needed in inputs:
                if needed not in seen:
                    seen.add(needed)
                    path.append((needed, iter(_inputs(needed, branch_of, trace))))
                    break
            else:
                ordered.append(branch)
                path.pop()
    return ordered


def _inputs(branch: Branch, branch_of: dict[VertexTrace, Branch], trace: Trace) -> list[Branch]:
    needed: dict[Branch, None] = {}
    for step in branch.steps:
        for digest in step.vertex.inputs:
            vertex = trace.by_digest.get(digest)
            if vertex is not None and vertex in branch_of:
                needed[branch_of[vertex]] = None
    return list(needed)


def _joined(branches: Iterable[Branch]) -> list[Branch]:
    """Neighbours without a stage as one branch."""
    joined: list[Branch] = []
    for branch in branches:
        if not branch.name and joined and not joined[-1].name:
            joined[-1].steps.extend(branch.steps)
        else:
            joined.append(branch)
    return joined
