"""Why steps of a build were not cached, by what two builds have said and been asked for.

A daemon does not say why it ran a step. What can be known is what differs between two builds: the text of a
step, the options, what a step is built on, and whether the daemon had run exactly that before. Each reason
says how sure it is.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from buildctl.progress.survey import State, state_of
from buildctl.progress.trace import Trace, VertexTrace
from buildctl.progress.tree import INTERNAL, StepName, grow

_FILES_SHOWN = 10
_TRANSFERRING = "transferring "
_RAN = (State.DONE, State.FAILED, State.CANCELED)
_CONTEXT_LABELS = (
    "load build context",
    "load build definition from",
    "load .dockerignore",
    "load remote build context",
)


class Certainty(enum.StrEnum):
    """How well a reason is known."""

    CERTAIN = "certain"
    LIKELY = "likely"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one step ran."""

    step: str
    """Its name as the daemon says it."""
    stage: str
    text: str
    certainty: Certainty
    digest: str = ""
    details: tuple[str, ...] = ()
    """What belongs to it, a line each: files, arguments."""


@dataclass(frozen=True, slots=True)
class ToldBuild:
    """A build as far as it is known."""

    trace: Trace
    attrs: Mapping[str, str] = field(default_factory=dict)
    """What the frontend was asked for."""


@dataclass(frozen=True, slots=True)
class _Step:
    vertex: VertexTrace
    name: StepName
    state: State

    @property
    def key(self) -> tuple[str, object]:
        """Its place in the build file, or its name where it has none."""
        return (self.name.stage, self.name.number or self.name.label)

    @property
    def command(self) -> str:
        """The label without its place, `RUN make` of ` 2/3 RUN make`."""
        return self.name.label.strip().partition(" ")[2] if self.name.number else self.name.label


def explain(
    build: ToldBuild, before: ToldBuild | None, changed_files: Sequence[str] | None = None
) -> list[Reason]:
    """A reason for each step that ran, in the order of the tree; steps of the daemon's own are left out.

    `changed_files` are those known to have changed of the build's folders; None if that is not known.
    """
    steps = list(_steps(build.trace))
    known = _Before(before)
    ran = {step.vertex: step for step in steps if step.state in _RAN}
    return [
        _reason(step, build, known, ran, changed_files)
        for step in steps
        if step.vertex in ran and step.name.stage != INTERNAL and step.name.stage
    ]


class _Before:
    """The earlier build, looked up by digests and by places."""

    def __init__(self, told: ToldBuild | None) -> None:
        self.known = told is not None
        self.attrs = told.attrs if told else {}
        steps = list(_steps(told.trace)) if told else []
        self.by_digest = {step.vertex.digest: step for step in steps}
        self.by_key = {step.key: step for step in steps}


def _steps(trace: Trace) -> Iterator[_Step]:
    for branch in grow(trace):
        for step in branch.steps:
            yield _Step(step.vertex, step.name, state_of(step.vertex, ended=True))


def _reason(
    step: _Step,
    build: ToldBuild,
    before: _Before,
    ran: Mapping[VertexTrace, _Step],
    changed_files: Sequence[str] | None,
) -> Reason:
    def because(text: str, certainty: Certainty, details: tuple[str, ...] = ()) -> Reason:
        name = step.vertex.name
        return Reason(name, step.name.stage, text, certainty, step.vertex.digest, details)

    stages = build.attrs.get("no-cache")
    if stages is not None and (not stages or step.name.stage in stages.split(",")):
        return because("it was asked for with --no-cache", Certainty.CERTAIN)
    if not before.known:
        return because("no earlier build is known", Certainty.GUESS)
    same = before.by_digest.get(step.vertex.digest)
    other = same or before.by_key.get(step.key)
    if other is None:
        return because("it is new: the earlier build had no such step", Certainty.CERTAIN)
    if other.command != step.command:
        return because(
            "its definition changed", Certainty.CERTAIN, (f"- {other.command}", f"+ {step.command}")
        )
    inputs = [
        build.trace.by_digest[digest] for digest in step.vertex.inputs if digest in build.trace.by_digest
    ]
    for needed in inputs:
        above = ran.get(needed)
        if above is not None and above.name.stage != INTERNAL and above.name.stage:
            return because(f"what it is built on ran: {above.vertex.name}", Certainty.LIKELY)
    if changed_files != [] and any(_sent_files(needed) for needed in inputs):
        shown = tuple((changed_files or ())[:_FILES_SHOWN])
        more = len(changed_files or ()) - len(shown)
        details = (*shown, f"and {more} more") if more else shown
        return because("files of the build context changed", Certainty.LIKELY, details)
    if options := tuple(_changed_options(build.attrs, before.attrs)):
        return because("options of the build changed", Certainty.LIKELY, options)
    if other.state not in (State.DONE, State.CACHED):
        return because("it has not succeeded before", Certainty.CERTAIN if same else Certainty.LIKELY)
    if same is not None or changed_files == []:
        return because("its result is no longer in the cache: it was pruned or evicted", Certainty.LIKELY)
    return because("what it is built on has another content, or was evicted", Certainty.GUESS)


def _sent_files(vertex: VertexTrace) -> bool:
    """Whether it is a local folder of which more was sent than its list of files."""
    name = vertex.name.removeprefix("[internal] ")
    if not name.startswith(_CONTEXT_LABELS):
        return False
    return any(
        status.id.startswith(_TRANSFERRING) and status.current > 0 for status in vertex.statuses.values()
    )


def _changed_options(now: Mapping[str, str], before: Mapping[str, str]) -> Iterator[str]:
    for key in sorted(now.keys() | before.keys()):
        if key in ("no-cache", "cache-imports") or now.get(key) == before.get(key):
            continue
        if key not in before:
            yield f"+ {key}={now[key]}"
        elif key not in now:
            yield f"- {key}={before[key]}"
        else:
            yield f"{key}: {before[key]} -> {now[key]}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A step in two builds; nanoseconds at work, None where a build had no such step."""

    name: str
    first_ns: int | None
    second_ns: int | None
    first_cached: bool = False
    second_cached: bool = False


def pair_steps(first: Trace, second: Trace, end_ns: int) -> list[Pair]:
    """The steps of two builds side by side, in the order of the second, then those of the first alone."""
    before = {step.key: step for step in _steps(first)}
    pairs = []
    for step in _steps(second):
        other = before.pop(step.key, None)
        pairs.append(
            Pair(
                step.vertex.name,
                None if other is None else other.vertex.duration_ns(end_ns),
                step.vertex.duration_ns(end_ns),
                other is not None and other.state is State.CACHED,
                step.state is State.CACHED,
            )
        )
    pairs += [
        Pair(step.vertex.name, step.vertex.duration_ns(end_ns), None, step.state is State.CACHED)
        for step in before.values()
    ]
    return pairs
