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

TYPE_CHECKING = False  # as typing has it, which the program may not load yet (`__main__`)

if TYPE_CHECKING:
    from typing import Any

    from buildctl.client.capabilities import Capabilities
    from buildctl.client.client import Client
    from buildctl.client.connect import connect
    from buildctl.client.excerpt import format_excerpt
    from buildctl.client.gateway.build import Build, Inspector, Outcome
    from buildctl.client.gateway.container import Container, ContainerMount
    from buildctl.client.gateway.plan import PlannedStep
    from buildctl.client.gateway.process import Completed, Process
    from buildctl.client.gateway.reference import Reference
    from buildctl.client.gateway.resolve import GitInfo, HTTPInfo, ImageInfo, ResolvedSource, SourceOp
    from buildctl.client.gateway.result import Attestation, Result, Subject
    from buildctl.client.services import TransferSink
    from buildctl.client.solve import StatusSink
    from buildctl.errors import (
        AsyncStateError,
        BuildctlError,
        ClosedError,
        Code,
        ConnectError,
        ContainerGoneError,
        ErrorDetail,
        FailedStep,
        ProcessError,
        ProtocolError,
        ResultError,
        RPCError,
        SessionLostError,
        SolveError,
        SourceExcerpt,
        TransferError,
        UnsupportedError,
        UsageError,
    )
    from buildctl.model.address import Address, TLSOptions, parse_address
    from buildctl.model.cache import PruneOpt, UsageRecord
    from buildctl.model.context import Context, File, Folder, Symlink, Tree
    from buildctl.model.filestat import FileStat
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
    from buildctl.model.platform import Platform
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
    from buildctl.model.workers import BuildkitVersion, CDIDevice, GCPolicy, WorkerRecord
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
    "AsyncStateError",
    "Attachable",
    "Attestation",
    "Auth",
    "Build",
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
    "Capabilities",
    "Client",
    "ClosedError",
    "Code",
    "Completed",
    "ConnectError",
    "Container",
    "ContainerGoneError",
    "ContainerMount",
    "Context",
    "Descriptor",
    "Destination",
    "DirectoryDestination",
    "DockerConfig",
    "ErrorDetail",
    "Export",
    "ExporterRecord",
    "FailedStep",
    "File",
    "FileDestination",
    "FileStat",
    "Folder",
    "ForwardedSocket",
    "GCPolicy",
    "GitInfo",
    "HTTPInfo",
    "ImageInfo",
    "Inspector",
    "LayoutDestination",
    "Outcome",
    "Output",
    "PlannedStep",
    "Platform",
    "Position",
    "Process",
    "ProcessError",
    "Progress",
    "ProgressGroup",
    "ProtocolError",
    "PruneOpt",
    "RPCError",
    "Range",
    "Reference",
    "RegistryTLS",
    "ResolvedSource",
    "Result",
    "ResultError",
    "SSHForward",
    "SecretSource",
    "Secrets",
    "SessionLostError",
    "SessionRequest",
    "SolveError",
    "SolveOpt",
    "SolveResult",
    "SolveStatus",
    "SourceExcerpt",
    "SourceInfo",
    "SourceOp",
    "StatusSink",
    "StdoutDestination",
    "StreamDestination",
    "Subject",
    "Symlink",
    "TLSOptions",
    "Transfer",
    "TransferError",
    "TransferSink",
    "Tree",
    "UnsupportedError",
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
    "model.platform",
    "model.workers",
    "model.solve",
    "model.context",
    "model.filestat",
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
    "client.capabilities",
    "client.gateway.build",
    "client.gateway.container",
    "client.gateway.plan",
    "client.gateway.process",
    "client.gateway.reference",
    "client.gateway.resolve",
    "client.gateway.result",
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
            import importlib

            for path in _MODULES:
                module = importlib.import_module(f"buildctl.{path}")
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module 'buildctl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*__all__, "__version__"))
