"""What a build says while it runs: the Status stream as values.

Instants are nanoseconds since the Unix epoch (`*_ns`), the precision BuildKit sends, which
`datetime` would lose. `None` stands for an instant that has not come. All are tuples: a build has thousands,
and a frozen dataclass takes three times as long to make and five times as long to define.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a build file: 1-based line, 0-based character."""

    line: int
    character: int = 0


class Range(NamedTuple):
    """From `start` to `end`, both included."""

    start: Position
    end: Position


class SourceInfo(NamedTuple):
    """A build file that a warning or an error points into."""

    filename: str
    data: bytes
    language: str = ""
    definition: bytes = b""
    """A serialized pb.Definition, or empty."""


class ProgressGroup(NamedTuple):
    """Vertexes shown as one; a weak member does not make the group visible."""

    id: str
    name: str
    weak: bool = False


class Vertex(NamedTuple):
    """A step of the build graph, known by its digest."""

    digest: str
    name: str = ""
    inputs: tuple[str, ...] = ()
    cached: bool = False
    started_ns: int | None = None
    completed_ns: int | None = None
    error: str = ""
    progress_group: ProgressGroup | None = None


class VertexStatus(NamedTuple):
    """A counter inside a vertex, such as bytes transferred; `total` 0 means unknown."""

    id: str
    vertex: str
    name: str = ""
    current: int = 0
    total: int = 0
    timestamp_ns: int = 0
    started_ns: int | None = None
    completed_ns: int | None = None


class VertexLog(NamedTuple):
    """Bytes that a step wrote; `stream` is 1 for stdout and 2 for stderr."""

    vertex: str
    data: bytes
    stream: int = 1
    timestamp_ns: int = 0


class UnreadLogs(Sequence[VertexLog]):
    """Logs of a message that are read each time they are looked at.

    A build may print a million lines, and a terminal shows the last few of them. Equal to any sequence of the
    same logs.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """The bytes of all `data`, give or take a few for each log."""

    @abstractmethod
    def since(self, start_ns: int | None) -> list[tuple[int, bytes]]:
        """What those that say something say, each with nanoseconds after `start_ns`; None: always 0."""

    @abstractmethod
    def moved(self, back_ns: int) -> UnreadLogs:
        """The same logs, each so much earlier."""

    @abstractmethod
    def ending(self, text: bytes) -> Iterator[VertexLog]:
        """Those whose data ends so, the others unread."""

    @abstractmethod
    def by_vertex(self) -> Mapping[str, UnreadLogs]:
        """The logs of each vertex, in order."""


class VertexWarning(NamedTuple):
    """A warning of the frontend about a vertex."""

    vertex: str
    short: bytes
    level: int = 0
    detail: tuple[bytes, ...] = ()
    url: str = ""
    source_info: SourceInfo | None = None
    ranges: tuple[Range, ...] = ()


class SolveStatus(NamedTuple):
    """One message of the Status stream."""

    vertexes: tuple[Vertex, ...] = ()
    statuses: tuple[VertexStatus, ...] = ()
    logs: Sequence[VertexLog] = ()
    """A tuple, or `UnreadLogs`."""
    warnings: tuple[VertexWarning, ...] = ()
