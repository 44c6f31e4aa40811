"""What is asked of one op besides its work, and of a marshal call for all ops: platform, names, caching,
limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from buildctl.llb import arguments
from buildctl.llb.arguments import INT64, UINT64
from buildctl.model.identity import new_id
from buildctl.model.platform import Platform
from buildctl.model.status import ProgressGroup

if TYPE_CHECKING:
    from buildctl.llb.sourcemap import Location

CUSTOM_NAME = "llb.customname"
"""The key of a description that displays show in place of what they would call the step."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits of a control group for one step; they do not change what the cache knows it by.

    `memory` and `memory_swap` (both together) are bytes, `cpu_period` and `cpu_quota` microseconds,
    `cpuset_cpus` and `cpuset_mems` lists such as `0-3,5`. Zero is no limit.
    """

    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""

    def __post_init__(self) -> None:
        for name in ("memory", "memory_swap", "cpu_quota"):
            arguments.number(name, getattr(self, name), INT64)
        for name in ("cpu_shares", "cpu_period"):
            arguments.number(name, getattr(self, name), UINT64)
        for name in ("cpuset_cpus", "cpuset_mems"):
            arguments.text(name, getattr(self, name))


class ConstraintArgs(TypedDict, total=False):
    """Options that every op takes."""

    platform: Platform | str
    """For which platform the op is; the marshal call's where it is left out."""
    name: str
    """What displays call the step: the description `llb.customname`."""
    description: Mapping[str, str]
    """Free text by key."""
    no_cache: bool
    """Whether the step runs even where the cache has its result."""
    export_cache: bool | None
    """Whether the result goes into an exported cache; None leaves it to the build."""
    worker_filters: Sequence[str]
    """Which workers may run it, in containerd's language of filters."""
    progress_group: ProgressGroup
    """A group of steps that displays show as one."""
    resources: Resources
    """Limits of its control group."""
    location: Location
    """The place in a build file that asked for the op: `llb.here()`, or `SourceMap.at()`."""
    locations: Sequence[Location]
    """Several such places, after `location`."""


class MarshalArgs(TypedDict, total=False):
    """Options of `State.marshal`, which all ops inherit."""

    platform: Platform | str | None
    """For which platform ops are that say none themselves. Default: Linux on this machine's CPU."""
    local_unique_id: str
    """What tells this build's local folders from those of other builds. Default: a random id."""
    caps: Collection[str] | None
    """What the daemon is capable of; None where that is not known."""
    worker_filters: Sequence[str]
    no_cache: bool
    name: str
    description: Mapping[str, str]
    export_cache: bool | None
    progress_group: ProgressGroup | None
    resources: Resources | None


class OpMetadata(NamedTuple):
    """What a definition says of an op beside its bytes; it is not part of the digest."""

    ignore_cache: bool = False
    description: Mapping[str, str] = {}
    export_cache: bool | None = None
    caps: frozenset[str] = frozenset()
    """What the daemon has to be capable of."""
    progress_group: ProgressGroup | None = None
    resources: Resources | None = None


_NO_METADATA = OpMetadata()


@dataclass(frozen=True, slots=True)
class Constraints:
    """What one op asks for, checked."""

    platform: Platform | None = None
    filters: tuple[str, ...] = ()
    metadata: OpMetadata = _NO_METADATA
    locations: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class MarshalOptions:
    """What a marshal call asks for, with its defaults filled in; functions of `State.async_` may read it."""

    platform: Platform = field(default_factory=Platform.default)
    local_unique_id: str = field(default_factory=new_id)
    caps: frozenset[str] | None = None
    worker_filters: tuple[str, ...] = ()
    no_cache: bool = False
    description: Mapping[str, str] | None = None
    export_cache: bool | None = None
    progress_group: ProgressGroup | None = None
    resources: Resources | None = None

    @classmethod
    def of(cls, *calls: Mapping[str, Any]) -> MarshalOptions:
        """Arguments of several calls, later ones over earlier ones. Raises `TypeError` and `UsageError`."""
        given: dict[str, Any] = {}
        for call in calls:
            _merge(given, call)
        return cls(**given)


_NONE = Constraints()


def constraints_of(args: Mapping[str, Any]) -> Constraints:
    """The checked form of `ConstraintArgs`. Raises `TypeError` and `UsageError`."""
    if not args:
        return _NONE
    unknown = args.keys() - ConstraintArgs.__annotations__.keys()
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {sorted(unknown)[0]!r}")
    platform = None
    if "platform" in args:
        platform = arguments.platform("platform", args["platform"])
    return Constraints(
        platform,
        arguments.texts("worker_filters", args.get("worker_filters", ())),
        OpMetadata(
            arguments.flag("no_cache", args.get("no_cache", False)),
            _description(args) or {},
            _export_cache(args.get("export_cache")),
            frozenset(),
            _progress_group(args["progress_group"]) if "progress_group" in args else None,
            _resources(args["resources"]) if "resources" in args else None,
        ),
        _locations(args),
    )


def marshal_args(args: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same arguments, checked, for `MarshalOptions.of` to merge."""
    MarshalOptions.of(args)
    return dict(args)


def own_resources(constraints: Constraints) -> bool:
    """Whether the op itself has limits, even if they are none."""
    return constraints.metadata.resources is not None


def with_platform(constraints: Constraints, platform: Platform | None) -> Constraints:
    """The same constraints with a platform where they have none."""
    if constraints.platform is not None or platform is None:
        return constraints
    return replace(constraints, platform=platform)


def _merge(given: dict[str, Any], call: Mapping[str, Any]) -> None:
    unknown = call.keys() - MarshalArgs.__annotations__.keys()
    if unknown:
        raise TypeError(f"marshal() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    if call.get("platform") is not None:
        given["platform"] = arguments.platform("platform", call["platform"])
    if arguments.text("local_unique_id", call.get("local_unique_id", "")):
        given["local_unique_id"] = call["local_unique_id"]
    if call.get("caps") is not None:
        given["caps"] = arguments.collection("caps", call["caps"])
    if filters := arguments.texts("worker_filters", call.get("worker_filters", ())):
        given["worker_filters"] = given.get("worker_filters", ()) + filters
    if arguments.flag("no_cache", call.get("no_cache", False)):
        given["no_cache"] = True
    if (description := _description(call)) is not None:
        given["description"] = given.get("description", {}) | description
    for name, check in (
        ("export_cache", _export_cache),
        ("progress_group", _progress_group),
        ("resources", _resources),
    ):
        if call.get(name) is not None:
            given[name] = check(call[name])


def _description(args: Mapping[str, Any]) -> dict[str, str] | None:
    described = None
    if "description" in args:
        described = arguments.pairs("description", args["description"])
    if "name" in args:
        described = (described or {}) | {CUSTOM_NAME: arguments.text("name", args["name"])}
    return described


def _export_cache(value: object) -> bool | None:
    return None if value is None else arguments.flag("export_cache", value)


def _progress_group(value: object) -> ProgressGroup:
    if not isinstance(value, ProgressGroup):
        raise arguments.wrong_type("progress_group", "a ProgressGroup", value)
    arguments.text("progress_group.id", value.id)
    arguments.text("progress_group.name", value.name)
    arguments.flag("progress_group.weak", value.weak)
    return value


def _resources(value: object) -> Resources:
    if not isinstance(value, Resources):
        raise arguments.wrong_type("resources", "Resources", value)
    return value


def _locations(args: Mapping[str, Any]) -> tuple[Location, ...]:
    from buildctl.llb.sourcemap import Location

    places = [args["location"]] if "location" in args else []
    places += arguments.sequence("locations", args.get("locations", ()), "Location")
    for place in places:
        if not isinstance(place, Location):
            raise arguments.wrong_type("location", "a Location", place)
    return tuple(places)
