"""An open build, and what it comes to, without await."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeAlias, cast

from buildctl.client.capabilities import Capabilities
from buildctl.client.gateway import build as awaited
from buildctl.client.gateway import reference
from buildctl.client.gateway import result as results
from buildctl.client.gateway.plan import PlannedStep
from buildctl.errors import SolveError
from buildctl.model.definable import Definable
from buildctl.model.solve import CacheEntry, SolveResult
from buildctl.model.workers import WorkerRecord
from buildctl.sync.container import Container, ContainerMount
from buildctl.sync.facade import iterates, waits
from buildctl.sync.portal import Waiting, call, entered


class Reference:
    """What a solve came to: `buildctl.Reference`'s methods by their names, without await.

    Every method raises what it raises there: `SolveError`, `RPCError`, `ClosedError`.
    """

    def __init__(self, awaited: reference.Reference, waiting: Waiting) -> None:
        self._awaited = awaited
        self._waiting = waiting

    @property
    def id(self) -> str:
        """By which the daemon knows it."""
        return self._awaited.id

    @property
    def definition(self) -> bytes:
        """The steps that it comes from, as a serialized pb.Definition; empty where it is not told."""
        return self._awaited.definition

    evaluate = waits(reference.Reference.evaluate)
    read_bytes = waits(reference.Reference.read_bytes)
    read_text = waits(reference.Reference.read_text)
    iterdir = waits(reference.Reference.iterdir)
    stat = waits(reference.Reference.stat)
    exists = waits(reference.Reference.exists)
    resolve = waits(reference.Reference.resolve)
    walk = iterates(reference.Reference.walk)

    def state(self) -> Any:
        """The steps that it comes from as a `State`, to build upon: `ref.state().sh("make")`.

        Raises `UnsupportedError` where the daemon does not tell them.
        """
        return self._awaited.state()


@dataclass(frozen=True)
class Result(results.Result):
    """What a build comes to, as `buildctl.Result`, of references that do not await.

    Its methods raise `UsageError` for what cannot be meant.
    """

    ref: Reference | None = None  # type: ignore[assignment]  # these stand in front of those
    refs: Mapping[str, Reference | None] = field(default_factory=dict)  # type: ignore[assignment]

    def single(self) -> Reference:  # type: ignore[override]
        """The one reference: `result.single().read_text("/arch")`. Raises `UsageError` for several."""
        return cast(Reference, super().single())

    @classmethod
    def image(  # type: ignore[override]
        cls, ref: Reference | None, config: Mapping[str, Any] | bytes, *, platform: str = "linux/amd64"
    ) -> Self:
        """A result with an image's configuration: `Result.image(ref, {"config": {"Cmd": ["sh"]}})`."""
        return cast(Self, super().image(cast(Any, ref), config, platform=platform))

    @classmethod
    def multi_platform(cls, by_platform: Mapping[str, Reference | Result]) -> Self:  # type: ignore[override]
        """A result of one reference a platform: `Result.multi_platform({"linux/amd64": ref})`."""
        return cast(Self, super().multi_platform(cast(Any, by_platform)))


Outcome: TypeAlias = Result | Reference | Definable | None
"""What a build may be given as its result; None for an empty one."""


class Build:
    """A build while it is open: `buildctl.Build`'s methods by their names, without await.

    Every method raises what it raises there: `ClosedError`, `UnsupportedError`, `SolveError`, `RPCError`.
    """

    def __init__(self, build: awaited.Build, waiting: Waiting) -> None:
        self._awaited = build
        self._waiting = waiting

    @property
    def ref(self) -> str:
        """The build's id, by which its history and status are found."""
        return self._awaited.ref

    @property
    def session_id(self) -> str:
        """The id of the session that serves the daemon's calls."""
        return self._awaited.session_id

    @property
    def opts(self) -> Mapping[str, str]:
        """Options of the frontend, as `SolveOpt.frontend_attrs` or the daemon gives them."""
        return self._awaited.opts

    @property
    def product(self) -> str:
        """Who builds, as `open_build` was told."""
        return self._awaited.product

    @property
    def workers(self) -> tuple[WorkerRecord, ...]:
        """The daemon's workers."""
        return self._awaited.workers

    @property
    def caps(self) -> Capabilities:
        """What the gateway can do, by capability ids."""
        return self._awaited.caps

    @property
    def llb_caps(self) -> Capabilities:
        """What definitions may ask for."""
        return self._awaited.llb_caps

    @property
    def daemon_version(self) -> str:
        """BuildKit's version as the daemon says it; those before 0.11 do not: empty."""
        return self._awaited.daemon_version

    @property
    def result(self) -> SolveResult:
        """What the build came to, once it has ended well. Raises `ClosedError` before."""
        return self._awaited.result

    def solve(
        self,
        what: Definable | None = None,
        *,
        frontend: str = "",
        options: Mapping[str, str] | None = None,
        inputs: Mapping[str, Definable] | None = None,
        cache_imports: Sequence[CacheEntry] = (),
        source_policies: Sequence[bytes] = (),
        evaluate: bool = False,
    ) -> Result:
        """Solve a state or definition, or let a `frontend` yield one, as `buildctl.Build.solve` has it.

        result = build.solve(llb.image("busybox").sh("make"), evaluate=True)
        """
        solving = self._awaited.solve(
            what,
            frontend=frontend,
            options=options,
            inputs=inputs,
            cache_imports=cache_imports,
            source_policies=source_policies,
            evaluate=evaluate,
        )
        return self._result(call(solving, self._waiting))

    resolve_image = waits(awaited.Build.resolve_image)
    resolve_source = waits(awaited.Build.resolve_source)
    inputs = waits(awaited.Build.inputs)
    warn = waits(awaited.Build.warn)

    @contextlib.contextmanager
    def container(
        self,
        *,
        mounts: Mapping[str, Reference | ContainerMount],
        network: str = "sandbox",
        hostname: str = "",
        extra_hosts: Mapping[str, str] | None = None,
        platform: str | None = None,
        keep: Sequence[str] | None = None,
    ) -> Iterator[Container]:
        """A container on results of this build, as `buildctl.Build.container` has it.

        with build.container(mounts={"/": ref}, keep=["sleep", "infinity"]) as box:
            print(box.run(["uname", "-a"]).stdout)
        """
        manager = self._awaited.container(
            mounts=_bare(mounts),
            network=network,
            hostname=hostname,
            extra_hosts=extra_hosts,
            platform=platform,
            keep=keep,
        )
        with entered(manager, self._waiting) as container:
            yield Container(container, self._waiting)

    @contextlib.contextmanager
    def debug(
        self,
        error: SolveError,
        *,
        keep: Sequence[str] | None = None,
        mounts: Mapping[str, ContainerMount] | None = None,
    ) -> Iterator[Container]:
        """A container as a failed step left it, as `buildctl.Build.debug` has it.

        with build.debug(error) as box:
            print(box.run(["cat", "/half"]).stdout)
        """
        manager = self._awaited.debug(error, keep=keep, mounts=_bare(mounts))
        with entered(manager, self._waiting) as container:
            yield Container(container, self._waiting)

    def planned_steps(self) -> tuple[PlannedStep, ...]:
        """The commands of all that this build has solved so far: `build.planned_steps()[-1].name`."""
        return self._awaited.planned_steps()

    def step_inputs(self, step: PlannedStep) -> list[Reference | None]:
        """What a step starts from, for each input of its op: `build.step_inputs(step)[0].iterdir()`."""
        return [self._reference(ref) for ref in call(self._awaited.step_inputs(step), self._waiting)]

    @contextlib.contextmanager
    def at_step(
        self,
        step: PlannedStep,
        *,
        keep: Sequence[str] | None = None,
        mounts: Mapping[str, ContainerMount] | None = None,
    ) -> Iterator[Container]:
        """A container as a step finds it when it starts, as `buildctl.Build.at_step` has it.

        with build.at_step(step) as box:
            box.run(["env"])
        """
        manager = self._awaited.at_step(step, keep=keep, mounts=_bare(mounts))
        with entered(manager, self._waiting) as container:
            yield Container(container, self._waiting)

    def set_result(self, result: Outcome) -> None:
        """Say what the build is to come to; the last word counts: `build.set_result(result)`."""
        self._awaited.set_result(_bare(result))

    def _reference(self, ref: reference.Reference | None) -> Reference | None:
        return None if ref is None else Reference(ref, self._waiting)

    def _result(self, found: results.Result) -> Result:
        return Result(
            ref=self._reference(found.ref),
            refs={name: self._reference(ref) for name, ref in found.refs.items()},
            metadata=found.metadata,
            attestations={
                name: [replace(one, ref=cast(Any, self._reference(one.ref))) for one in several]
                for name, several in found.attestations.items()
            },
        )


def _bare(value: Any) -> Any:
    """A value with the references that are awaited in place of those in front of them."""
    if isinstance(value, Reference):
        return value._awaited
    if isinstance(value, Mapping):
        return {name: _bare(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_bare(one) for one in value]
    if isinstance(value, results.Result):
        return results.Result(**{part.name: _bare(getattr(value, part.name)) for part in fields(value)})
    if isinstance(value, ContainerMount | results.Attestation):
        return replace(value, ref=_bare(value.ref))
    return value
