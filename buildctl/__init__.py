"""buildctl for Python: a command line and a typed client library for BuildKit.

import asyncio
from buildctl import Client, DirectoryDestination, Export, SolveOpt, parse_address

async def main() -> None:
    async with Client.connect(parse_address("unix:///run/buildkit/buildkitd.sock")) as client:
        await client.solve(
            SolveOpt(
                frontend="dockerfile.v0",
                local_dirs={"context": ".", "dockerfile": "."},
                exports=(Export("local", destination=DirectoryDestination("out")),),
            )
        )

asyncio.run(main())
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.client.connect import connect
    from buildctl.client.excerpt import format_excerpt
    from buildctl.client.services import TransferSink
    from buildctl.client.solve import StatusSink
    from buildctl.errors import (
        BuildctlError,
        Code,
        ConnectError,
        ErrorDetail,
        ProtocolError,
        RPCError,
        SolveError,
        SourceExcerpt,
        TransferError,
        UsageError,
    )
    from buildctl.model.address import Address, TLSOptions, parse_address
    from buildctl.model.cache import PruneOpt, UsageRecord
    from buildctl.model.context import Context, File, Folder, Symlink, Tree
    from buildctl.model.history import (
        BuildError,
        BuildHistoryEvent,
        BuildHistoryEventType,
        BuildRecord,
        BuildResultInfo,
        Descriptor,
        ExporterRecord,
    )
    from buildctl.model.offer import AgentSource, RegistryTLS, SecretSource
    from buildctl.model.output import Output
    from buildctl.model.result import BuildResult
    from buildctl.model.sessionrequest import SessionRequest
    from buildctl.model.solve import (
        CacheEntry,
        Destination,
        DirectoryDestination,
        Export,
        FileDestination,
        LayoutDestination,
        SolveOpt,
        SolveResult,
        StdoutDestination,
        StreamDestination,
    )
    from buildctl.model.status import (
        Position,
        ProgressGroup,
        Range,
        SolveStatus,
        SourceInfo,
        Vertex,
        VertexLog,
        VertexStatus,
        VertexWarning,
    )
    from buildctl.model.transfer import Transfer, format_transfer
    from buildctl.model.workers import BuildkitVersion, CDIDevice, GCPolicy, Platform, WorkerRecord
    from buildctl.progress.show import Progress
    from buildctl.session.auth.dockerconfig import DockerConfig, load_docker_config
    from buildctl.session.auth.service import Auth
    from buildctl.session.secrets import Secrets
    from buildctl.session.sharedkey import shared_key
    from buildctl.session.sshforward import ForwardedSocket, SSHForward
    from buildctl.session.stream import Attachable
    from buildctl.session.upload import Uploads

__version__ = "0.1.0"

__all__ = (
    "Address",
    "AgentSource",
    "Attachable",
    "Auth",
    "BuildError",
    "BuildHistoryEvent",
    "BuildHistoryEventType",
    "BuildRecord",
    "BuildResult",
    "BuildResultInfo",
    "BuildctlError",
    "BuildkitVersion",
    "CDIDevice",
    "CacheEntry",
    "Client",
    "Code",
    "ConnectError",
    "Context",
    "Descriptor",
    "Destination",
    "DirectoryDestination",
    "DockerConfig",
    "ErrorDetail",
    "Export",
    "ExporterRecord",
    "File",
    "FileDestination",
    "Folder",
    "ForwardedSocket",
    "GCPolicy",
    "LayoutDestination",
    "Output",
    "Platform",
    "Position",
    "Progress",
    "ProgressGroup",
    "ProtocolError",
    "PruneOpt",
    "RPCError",
    "Range",
    "RegistryTLS",
    "SSHForward",
    "SecretSource",
    "Secrets",
    "SessionRequest",
    "SolveError",
    "SolveOpt",
    "SolveResult",
    "SolveStatus",
    "SourceExcerpt",
    "SourceInfo",
    "StatusSink",
    "StdoutDestination",
    "StreamDestination",
    "Symlink",
    "TLSOptions",
    "Transfer",
    "TransferError",
    "TransferSink",
    "Tree",
    "Uploads",
    "UsageError",
    "UsageRecord",
    "Vertex",
    "VertexLog",
    "VertexStatus",
    "VertexWarning",
    "WorkerRecord",
    "connect",
    "format_excerpt",
    "format_transfer",
    "load_docker_config",
    "parse_address",
    "shared_key",
)

_MODULES = (
    "errors",
    "model.address",
    "model.history",
    "model.cache",
    "model.workers",
    "model.solve",
    "model.context",
    "model.output",
    "model.result",
    "model.status",
    "model.transfer",
    "model.sessionrequest",
    "model.offer",
    "session.sharedkey",
    "client.excerpt",
    "client.services",
    "client.solve",
    "client.client",
    "client.connect",
    "progress.show",
    "session.secrets",
    "session.upload",
    "session.sshforward",
    "session.auth.dockerconfig",
    "session.auth.service",
)
"""Where the public names live, the light ones first: whoever needs an error class does not load grpc."""


if not TYPE_CHECKING:  # which would take every name for a public one

    def __getattr__(name: str) -> Any:
        """Load a public name on first use, so that importing the package costs nothing (PEP 562)."""
        if name in __all__:
            for path in _MODULES:
                module = importlib.import_module(f"buildctl.{path}")
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module 'buildctl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*__all__, "__version__"))
