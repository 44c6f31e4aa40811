"""What is to be solved, in whichever form it is given, as a serialized pb.Definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from buildctl._pb import ops_pb2, worker_pb2
from buildctl.client.gateway.gateway import Gateway
from buildctl.client.request import definition
from buildctl.errors import UnsupportedError
from buildctl.model.identity import new_id


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


class Definitions:
    """Makes the definitions of one build: for its daemon's platform and capabilities."""

    def __init__(self, gateway: Gateway, workers: Sequence[worker_pb2.WorkerRecord]) -> None:
        self._gateway = gateway
        self._unique_id = new_id()
        self._platform = default_platform(workers)

    async def message(self, what: Definable) -> ops_pb2.Definition:
        """The message. Raises `UnsupportedError` where the daemon lacks what it asks for."""
        message = definition(await self._data(what))
        for metadata in message.metadata.values():
            for cap in metadata.caps:
                if cap not in self._gateway.llb_caps:
                    version = self._gateway.daemon_version
                    raise UnsupportedError(cap, what="the definition", daemon_version=version)
        return message

    async def messages(self, inputs: Mapping[str, Definable]) -> dict[str, ops_pb2.Definition]:
        return {name: await self.message(what) for name, what in inputs.items()}

    async def _data(self, what: Definable) -> bytes:
        if isinstance(what, bytes):
            return what
        if isinstance(what, Marshallable):
            what = await what.marshal_async(
                platform=self._platform,
                local_unique_id=self._unique_id,
                caps=frozenset(self._gateway.llb_caps),
            )
        if not isinstance(what, Serializable):
            raise TypeError(f"a State, a Definition or bytes is needed, not {type(what).__name__}")
        return what.to_bytes()


def default_platform(workers: Sequence[worker_pb2.WorkerRecord]) -> str | None:
    """What the daemon builds for when nothing else is said; None where it does not tell."""
    for worker in workers:
        for platform in worker.platforms:
            parts = (platform.OS, platform.Architecture, platform.Variant)
            return "/".join(filter(None, parts))
    return None
