"""Logs that stay serialized until they are looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2
from buildctl.model.status import UnreadLogs, VertexLog

_SECOND_NS = 1_000_000_000
_SHA256_FIELD = b"\x0a\x47"
"""The field `vertex` with 71 bytes: `sha256:` and 64 digits."""
_LOG_FRAME_BYTES = 94
"""What a VertexLog takes besides its text: the vertex, the instant, the stream and lengths."""


class SerializedLogs(UnreadLogs):
    """VertexLog messages as they came; `back_ns` earlier, and all of `vertex`, if that is given.

    One that cannot be read says nothing, of no vertex.
    """

    __slots__ = ("_back_ns", "_serialized", "_size", "_vertex")

    def __init__(self, serialized: Sequence[bytes], back_ns: int = 0, vertex: str | None = None) -> None:
        self._serialized = serialized
        self._back_ns = back_ns
        self._vertex = vertex
        self._size: int | None = None

    def __len__(self) -> int:
        return len(self._serialized)

    @overload
    def __getitem__(self, index: int) -> VertexLog: ...
    @overload
    def __getitem__(self, index: slice) -> UnreadLogs: ...
    def __getitem__(self, index: int | slice) -> VertexLog | UnreadLogs:
        if isinstance(index, slice):
            return SerializedLogs(self._serialized[index], self._back_ns, self._vertex)
        try:
            message = control_pb2.VertexLog.FromString(self._serialized[index])
        except DecodeError:
            return VertexLog("", b"", 0, -self._back_ns)
        at = message.timestamp
        return VertexLog(
            message.vertex if self._vertex is None else self._vertex,
            message.msg,
            message.stream,
            at.seconds * _SECOND_NS + at.nanos - self._back_ns,
        )

    def __iter__(self) -> Iterator[VertexLog]:
        return map(self.__getitem__, range(len(self._serialized)))

    @property
    def size_bytes(self) -> int:
        if self._size is None:
            size = sum(map(len, self._serialized)) - len(self._serialized) * _LOG_FRAME_BYTES
            self._size = max(size, len(self._serialized))
        return self._size

    def since(self, start_ns: int | None) -> list[tuple[int, bytes]]:
        # What a display of every line does most: a VertexLog each would add a quarter to the time of `plain`.
        parse, origin_ns = control_pb2.VertexLog.FromString, self._back_ns + (start_ns or 0)
        pieces: list[tuple[int, bytes]] = []
        for serialized in self._serialized:
            try:
                message = parse(serialized)
            except DecodeError:
                continue
            if data := message.msg:
                at = message.timestamp
                offset_ns = 0 if start_ns is None else at.seconds * _SECOND_NS + at.nanos - origin_ns
                pieces.append((offset_ns, data))
        return pieces

    def moved(self, back_ns: int) -> UnreadLogs:
        return SerializedLogs(self._serialized, self._back_ns + back_ns, self._vertex)

    def ending(self, text: bytes) -> Iterator[VertexLog]:
        # Every writer of protobuf ends with the last field, which is the text. Most messages have none, and
        # one search through all of them takes about half as long as asking each.
        if text not in b"".join(self._serialized):
            return
        for index, serialized in enumerate(self._serialized):
            if serialized.endswith(text):
                yield self[index]

    def by_vertex(self) -> Mapping[str, UnreadLogs]:
        # Every writer of protobuf begins with the first field, and BuildKit's digests are all as long.
        heads: defaultdict[bytes, list[bytes]] = defaultdict(list)
        length = len(_SHA256_FIELD) + 71
        for serialized in self._serialized:
            heads[serialized[:length]].append(serialized)
        vertexes: dict[str, list[bytes]] = {}
        for head, logs in heads.items():
            if head.startswith(_SHA256_FIELD) and head.isascii():
                vertexes.setdefault(head.decode("ascii")[2:], []).extend(logs)
            else:
                for log in logs:
                    vertexes.setdefault(SerializedLogs((log,))[0].vertex, []).append(log)
        # Tuples of bytes cost the garbage collector nothing, however many a display keeps.
        return {
            vertex: SerializedLogs(tuple(logs), self._back_ns, vertex) for vertex, logs in vertexes.items()
        }
