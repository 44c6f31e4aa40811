"""LLB, the build graph: described in Python, and byte for byte what BuildKit's own builder in Go makes of it.

from buildctl import llb

base = llb.image("busybox")
out = base.sh("echo hi > /out/greeting", mounts=[llb.mount("/out", llb.scratch())]).output("/out")
definition = out.marshal(platform="linux/amd64")

The same graph has the same digests in both, so that both find what the other has built in the daemon's cache.
"""

from __future__ import annotations

from buildctl.errors import AsyncStateError, UsageError
from buildctl.llb.constraints import ConstraintArgs, MarshalArgs, MarshalOptions, OpMetadata, Resources
from buildctl.llb.definition import Definition, Op, SourceLocation, Sources
from buildctl.llb.execop import (
    SSH,
    Device,
    Mount,
    ProxyEnv,
    Secret,
    Ulimit,
    cache,
    device,
    mount,
    secret,
    secret_env,
    ssh,
    tmpfs,
)
from buildctl.llb.fileop import FileAction, copy, mkdir, mkfile, rm, symlink
from buildctl.llb.graphops import diff, merge, passthrough
from buildctl.llb.sourcemap import Location, SourceMap, here
from buildctl.llb.sources import (
    ImageAnswer,
    Resolver,
    git,
    http,
    image,
    image_blob,
    local,
    oci_layout,
    oci_layout_blob,
    scratch,
)
from buildctl.llb.sshscan import scan_ssh_host
from buildctl.llb.state import Exec, State
from buildctl.llb.words import split
from buildctl.model.platform import Platform
from buildctl.model.status import Position, ProgressGroup, Range, SourceInfo

BUILDKIT = "v0.32.2"
"""The BuildKit release whose builder makes the same bytes."""

__all__ = (
    "BUILDKIT",
    "SSH",
    "AsyncStateError",
    "ConstraintArgs",
    "Definition",
    "Device",
    "Exec",
    "FileAction",
    "ImageAnswer",
    "Location",
    "MarshalArgs",
    "MarshalOptions",
    "Mount",
    "Op",
    "OpMetadata",
    "Platform",
    "Position",
    "ProgressGroup",
    "ProxyEnv",
    "Range",
    "Resolver",
    "Resources",
    "Secret",
    "SourceInfo",
    "SourceLocation",
    "SourceMap",
    "Sources",
    "State",
    "Ulimit",
    "UsageError",
    "cache",
    "copy",
    "device",
    "diff",
    "git",
    "here",
    "http",
    "image",
    "image_blob",
    "local",
    "merge",
    "mkdir",
    "mkfile",
    "mount",
    "oci_layout",
    "oci_layout_blob",
    "passthrough",
    "rm",
    "scan_ssh_host",
    "scratch",
    "secret",
    "secret_env",
    "split",
    "ssh",
    "symlink",
    "tmpfs",
)
