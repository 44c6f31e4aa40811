"""What is to be solved, in whichever form it is given, as a serialized pb.Definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from buildctl._pb import ops_pb2, worker_pb2
from buildctl.client.gateway.gateway import Gateway
from buildctl.client.request import definition
from buildctl.errors import UnsupportedError
from buildctl.model.definable import Definable, definition_bytes
from buildctl.model.identity import new_id
from buildctl.model.solve import SolveOpt


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
        return await definition_bytes(
            what,
            platform=self._platform,
            local_unique_id=self._unique_id,
            caps=frozenset(self._gateway.llb_caps),
        )


async def serialized(opt: SolveOpt, workers: Sequence[worker_pb2.WorkerRecord]) -> SolveOpt:
    """The build with its definition and inputs as bytes, for the daemon's platform."""
    if isinstance(opt.definition, bytes | None) and not opt.frontend_inputs:
        return opt
    platform, unique_id = default_platform(workers), new_id()

    async def data(what: Definable) -> bytes:
        return await definition_bytes(what, platform=platform, local_unique_id=unique_id)

    defined = opt.definition if opt.definition is None else await data(opt.definition)
    inputs = {name: await data(what) for name, what in opt.frontend_inputs.items()}
    return replace(opt, definition=defined, frontend_inputs=inputs)


def default_platform(workers: Sequence[worker_pb2.WorkerRecord]) -> str | None:
    """What the daemon builds for when nothing else is said; None where it does not tell."""
    for worker in workers:
        for platform in worker.platforms:
            parts = (platform.OS, platform.Architecture, platform.Variant)
            return "/".join(filter(None, parts))
    return None
