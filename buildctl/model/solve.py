"""What a build is asked to do, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, TypeAlias

from buildctl.model.transfer import Transfer

if TYPE_CHECKING:
    from buildctl.model.context import Tree
    from buildctl.model.definable import Definable

OnUnreadable: TypeAlias = Literal["error", "skip", "empty"]
"""What becomes of what cannot be read: `SolveOpt.on_unreadable`."""


@dataclass(frozen=True, slots=True)
class DirectoryDestination:
    """An export lands as files below `path`, created when missing."""

    path: str
    keep_privileged: bool = False
    """Whether devices are created, and files keep set-id bits and capabilities."""


@dataclass(frozen=True, slots=True)
class FileDestination:
    """An export lands as one file at `path`, replaced when it is whole, or in a pipe or device."""

    path: str


@dataclass(frozen=True, slots=True)
class StdoutDestination:
    """An export is written to standard output."""


@dataclass(frozen=True, slots=True)
class StreamDestination:
    """An export is written to what `open` gives, in a thread, and that is closed.

    `open` is called once the daemon delivers, with what the daemon says of the export, such as
    `{"containerimage.digest": "sha256:…"}`. Only `write` and `close` are used; where the export fails,
    `abort` in place of `close` if there is such a method.
    """

    open: Callable[[Mapping[str, str]], BinaryIO]


@dataclass(frozen=True, slots=True)
class LayoutDestination:
    """An export lands as an OCI layout below `path`, through the content service."""

    path: str


Destination = (
    DirectoryDestination | FileDestination | StdoutDestination | StreamDestination | LayoutDestination
)


@dataclass(frozen=True, slots=True)
class Export:
    """One result that is asked for: the daemon's exporter, its attributes, and where it lands here."""

    type: str
    attrs: Mapping[str, str] = field(default_factory=dict)
    destination: Destination | None = None
    """None where the daemon keeps or pushes the result itself."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A cache to import from or export to: its type and attributes, as the daemon reads them."""

    type: str
    attrs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SolveOpt:
    """One build. The order of `exports` is the id by which the daemon addresses each of them."""

    frontend: str = ""
    """The frontend's name, such as `dockerfile.v0`; empty with a `definition`."""
    frontend_attrs: Mapping[str, str] = field(default_factory=dict)
    definition: Definable | None = None
    """LLB: a `State`, a `Definition` or a serialized pb.Definition; None with a `frontend`."""
    frontend_inputs: Mapping[str, Definable] = field(default_factory=dict)
    """What the frontend may build upon, by name, in the same forms."""
    local_dirs: Mapping[str, str | Tree] = field(default_factory=dict)
    """Directories the daemon may read, by local name; a `Tree` has files in memory."""
    oci_layouts: Mapping[str, str] = field(default_factory=dict)
    """OCI layouts the daemon may read, by the id that `oci-layout://ID@DIGEST` names."""
    exports: tuple[Export, ...] = ()
    cache_exports: tuple[CacheEntry, ...] = ()
    cache_imports: tuple[CacheEntry, ...] = ()
    entitlements: tuple[str, ...] = ()
    source_policy: bytes | None = None
    """A serialized sourcepolicy.Policy, or None."""
    proxy_network: bool = False
    on_unreadable: OnUnreadable = "error"
    """What becomes of files and folders of `local_dirs` that cannot be read.

    The build fails, or they are left out, or files are sent empty and folders without entries;
    `Transfer.unreadable` names them. A file that stops being readable after it was announced, or changes its
    size, fails the build with `skip`, too; with `empty`, the daemon takes the empty file for the announced
    one until its size, time or mode changes.
    """
    shared_key: str = ""
    """Under which key the daemon keeps the files of `local_dirs` for later builds, in printable ASCII.

    A later build with the same key and local name is compared with them, sends only what differs, and takes
    their place; `buildctl.shared_key` makes a key for a set of directories. All who give none share one.
    """
    content_records: str = ""
    """A folder in which digests of what daemons were sent are kept, created when missing; empty for none.

    With it, a file whose bytes have changed under the same name, size and time is sent, where a daemon, which
    compares these, would keep the old one: such files become part of the key. It is to be one folder of this
    machine for all builds; what is lost of it costs time, and never a wrong context.
    """
    transfer_records: str = ""
    """A folder in which it is kept, compressed, what was announced of each directory; empty for none.

    Of a `Tree` nothing is kept, here or in `content_records`.
    """
    ref: str = ""
    """The id of this build; a random one when empty."""


class Delivery(NamedTuple):
    """What has arrived here of one export."""

    files: int
    """Regular files; 1 where the export is one file."""
    bytes_received: int
    """What is in them, in bytes."""


@dataclass(frozen=True, slots=True)
class SolveResult:
    """What a build that succeeded answers."""

    ref: str
    exporter_response: Mapping[str, str] = field(default_factory=dict)
    """What the exporters say of their results, such as `containerimage.digest`."""
    frontend_metadata: Mapping[str, bytes] = field(default_factory=dict)
    """What the frontend says of its result, such as `result.txt` of a subrequest."""
    transfers: tuple[Transfer, ...] = ()
    """What was sent of local directories, in the order in which the transfers ended."""
    deliveries: Mapping[int, Delivery] = field(default_factory=dict)
    """What has arrived in directories and files here, by the index of the export."""
