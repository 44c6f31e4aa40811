"""What a build can be defined by besides bytes: the forms that a graph has before it is one daemon's."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable


@runtime_checkable
class Serializable(Protocol):
    """A definition: `buildctl.llb.Definition`."""

    def to_bytes(self) -> bytes: ...


@runtime_checkable
class Marshallable(Protocol):
    """What becomes a definition for one daemon: `buildctl.llb.State`."""

    async def marshal_async(
        self, *, platform: str | None, local_unique_id: str, caps: frozenset[str] | None
    ) -> Serializable: ...


Definable: TypeAlias = Marshallable | Serializable | bytes
"""A state, a definition, or a serialized pb.Definition."""


async def definition_bytes(
    what: Definable, *, platform: str | None, local_unique_id: str, caps: frozenset[str] | None = None
) -> bytes:
    """A serialized pb.Definition; a state is marshalled as the arguments say. Raises `TypeError`."""
    if isinstance(what, bytes):
        return what
    if isinstance(what, Marshallable):
        what = await what.marshal_async(platform=platform, local_unique_id=local_unique_id, caps=caps)
    if not isinstance(what, Serializable):
        raise TypeError(f"a State, a Definition or bytes is needed, not {type(what).__name__}")
    return what.to_bytes()
