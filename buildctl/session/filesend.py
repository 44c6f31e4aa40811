"""The FileSend service: the daemon delivers what a build exports, as files or as one stream of bytes.

The exporter is named in the call's metadata by its place among the exports, and where that export lands
decides what the messages are: fsutil packets for a directory, BytesMessage for a file or standard output.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO, Protocol

from buildctl.errors import BuildctlError, Code, ServiceError, TransferError
from buildctl.fsutil.receive import Mode, ReceiveSummary, receive
from buildctl.fsutil.worker import Worker, outlast
from buildctl.http2.frames import Buffer
from buildctl.model.solve import (
    Delivery,
    DirectoryDestination,
    Export,
    FileDestination,
    StdoutDestination,
    StreamDestination,
)
from buildctl.session.bytesmessage import decode_bytes_message
from buildctl.session.stream import Handler, ServerStream
from buildctl.system.failure import write_failure
from buildctl.system.outfile import OutFile
from buildctl.system.writing import write_pieces

DIFF_COPY_PATH = "/moby.filesync.v1.FileSend/DiffCopy"

_EXPORTER_ID = "buildkit-attachable-exporter-id"
_MULTI_PLATFORM = "buildkit-exporter-multi-platform"
_METADATA_PREFIX = "exporter-md-"

MAX_TRANSFERS = 4
"""Folders that are received at a time: each has a thread and up to a hundred descriptors. Others wait."""

_CLEANUP_SECONDS = 1.0
"""How long a disk that stalls may delay the end of a failed or cancelled export."""


_LOG = logging.getLogger("buildctl")


class FileSend:
    """Attachable: receives each export that has a directory, a file or standard output as its destination."""

    def __init__(self, exports: Sequence[Export], *, stdout: int = 1) -> None:
        """Take the exports in the order of the solve request; `stdout` is written to and left open."""
        self._exports = tuple(exports)
        self._stdout = stdout
        self._delivered: set[int] = set()  # the begun ones that can come once only
        self._spilled = False
        self._turns = asyncio.Semaphore(MAX_TRANSFERS)
        self._incomplete: dict[ServerStream, tuple[str, BuildctlError | None]] = {}
        self._metadata: dict[int, dict[str, str]] = {}
        self._deliveries: dict[int, Delivery] = {}

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {DIFF_COPY_PATH: self._diff_copy}

    @property
    def metadata(self) -> Mapping[int, Mapping[str, str]]:
        """What the daemon said of each export it has begun to deliver, such as `containerimage.digest`."""
        return self._metadata

    @property
    def deliveries(self) -> Mapping[int, Delivery]:
        """What has arrived whole, by the export's number; the platforms of one export together."""
        return self._deliveries

    @property
    def missing(self) -> Sequence[Export]:
        """The exports that are to land here and of which the daemon has begun to deliver nothing."""
        here = DirectoryDestination | FileDestination | StdoutDestination | StreamDestination
        return [
            export
            for number, export in enumerate(self._exports)
            if isinstance(export.destination, here) and number not in self._metadata
        ]

    @property
    def has_spilled(self) -> bool:
        """Whether bytes have gone where they cannot be taken back: standard output, a pipe, a device."""
        return self._spilled

    @property
    def incomplete(self) -> tuple[str, BuildctlError | None] | None:
        """A destination whose delivery has begun and not come to its end, and why if that is known."""
        return next(iter(self._incomplete.values()), None)

    async def _diff_copy(self, stream: ServerStream) -> None:
        number = _exporter_id(stream.metadata)
        export = self._exports[number] if 0 <= number < len(self._exports) else None
        match export.destination if export is not None else None:
            case DirectoryDestination(path, keep_privileged) if export is not None:
                # Daemons without multi-platform transfer send each platform in a call of its own.
                mode = _mode(export)
                if mode == "delete" and (_MULTI_PLATFORM, "1") not in stream.metadata:
                    raise ServiceError(
                        Code.UNKNOWN,
                        "local exporter mode=delete requires a BuildKit daemon"
                        " with multi-platform local export support",
                    )
                self._collect_metadata(number, stream)
                with self._delivering(stream, path):
                    await self._receive_tree(number, stream, path, mode, keep_privileged=keep_privileged)
            case FileDestination(path):
                self._collect_metadata(number, stream)
                with self._delivering(stream, path):
                    await self._receive_bytes(number, stream, OutFile(path))
            case StdoutDestination():
                self._collect_metadata(number, stream)
                with self._delivering(stream, "standard output"):
                    await self._receive_bytes(number, stream, _Stdout(self._stdout))
            case StreamDestination(open_stream):
                self._collect_metadata(number, stream)
                target = _Stream(open_stream, self._metadata[number])
                with self._delivering(stream, "a stream"):
                    await self._receive_bytes(number, stream, target)
            case _:
                raise ServiceError(Code.UNKNOWN, f"exporter {number} not found")

    @contextmanager
    def _delivering(self, stream: ServerStream, destination: str) -> Iterator[None]:
        """Keep in mind that a delivery is under way, and what became of one that failed."""
        self._incomplete[stream] = destination, None
        try:
            yield
            self._forget(stream)
        except BuildctlError as error:
            if stream in self._incomplete:
                self._incomplete[stream] = destination, error
            raise

    def _forget(self, stream: ServerStream) -> None:
        self._incomplete.pop(stream, None)

    async def _receive_tree(
        self, number: int, stream: ServerStream, path: str, mode: Mode, *, keep_privileged: bool
    ) -> None:
        def written(summary: ReceiveSummary) -> None:
            # From here on the daemon may end the build, and with it this call.
            self._forget(stream)
            before = self._deliveries.get(number, Delivery(0, 0))
            files, size = before.files + summary.files, before.bytes_received + summary.content_bytes
            self._deliveries[number] = Delivery(files, size)
            if summary.devices or summary.stripped:
                _LOG.warning("%s: %s; add keep-privileged=true to --output for all", path, _left_out(summary))

        async with self._turns:
            await receive(
                stream.receive_messages,
                stream.send_messages,
                path,
                mode=mode,
                keep_privileged=keep_privileged,
                on_written=written,
            )

    def _collect_metadata(self, number: int, stream: ServerStream) -> None:
        collected: dict[str, list[str]] = {}
        for key, value in stream.metadata:
            if key.startswith(_METADATA_PREFIX):
                collected.setdefault(key.removeprefix(_METADATA_PREFIX), []).append(value)
        self._metadata[number] = {key: ",".join(values) for key, values in collected.items()}

    async def _receive_bytes(self, number: int, stream: ServerStream, target: _Target) -> None:
        if number in self._delivered:
            raise ServiceError(Code.ALREADY_EXISTS, "target already exists")
        self._delivered.add(number)
        worker = Worker("export")
        size = 0
        try:
            await worker.run(target.open)
            while messages := await stream.receive_messages():
                # Nothing more is read until this is written, which is what slows the daemon down.
                self._spilled = self._spilled or target.streams
                size += await worker.run(_write, target, messages)
            await worker.run(target.commit)
            self._deliveries[number] = Delivery(1, size)
        except BaseException:
            await outlast([worker.run(target.discard)], _CLEANUP_SECONDS)
            raise
        finally:
            worker.close()


class _Target(Protocol):
    """Where the bytes of an export go. Every method blocks and raises `TransferError`."""

    @property
    def streams(self) -> bool: ...

    def open(self) -> None: ...

    def write(self, pieces: Sequence[Buffer]) -> None: ...

    def commit(self) -> None: ...

    def discard(self) -> None: ...


class _Stdout:
    """A descriptor that others own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def streams(self) -> bool:
        return True

    def open(self) -> None:
        pass

    def write(self, pieces: Sequence[Buffer]) -> None:
        try:
            write_pieces(self._descriptor, pieces)
        except OSError as error:
            raise write_failure("write to standard output", error) from error

    def commit(self) -> None:
        pass

    def discard(self) -> None:
        pass


class _Stream:
    """What the library's user gave: a file object, which is closed whatever becomes of the export."""

    def __init__(
        self, open_stream: Callable[[Mapping[str, str]], BinaryIO], metadata: Mapping[str, str]
    ) -> None:
        self._open_stream = open_stream
        self._metadata = metadata
        self._stream: BinaryIO | None = None

    @property
    def streams(self) -> bool:
        return True

    def open(self) -> None:
        with _user_failure("open"):
            self._stream = self._open_stream(self._metadata)

    def write(self, pieces: Sequence[Buffer]) -> None:
        assert self._stream is not None
        with _user_failure("write to"):
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    taken: int | None = self._stream.write(view)
                    # Raw files may take a part; some writers return nothing and have taken all.
                    view = view[len(view) if taken is None else taken :]

    def commit(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with _user_failure("close"):
                stream.close()

    def discard(self) -> None:
        """Close it, or have it aborted if it knows how: what it has is a part only."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(TransferError), _user_failure("close"):
                getattr(stream, "abort", stream.close)()


@contextmanager
def _user_failure(action: str) -> Iterator[None]:
    """Whatever a user's object raises ends the transfer and not the session."""
    try:
        yield
    except Exception as error:
        raise TransferError(f"failed to {action} the stream of an output: {error}") from error


def _write(target: _Target, messages: list[bytes]) -> int:
    """Write what messages carry; how many bytes that is."""
    pieces = [decode_bytes_message(message) for message in messages]
    target.write(pieces)
    return sum(map(len, pieces))


def _left_out(summary: ReceiveSummary) -> str:
    devices = f"left out {summary.devices:,} {'device' if summary.devices == 1 else 'devices'}"
    files = f"{summary.stripped:,} {'file' if summary.stripped == 1 else 'files'}"
    stripped = f"took set-id bits or capabilities from {files}"
    return " and ".join([devices] * bool(summary.devices) + [stripped] * bool(summary.stripped))


def _exporter_id(metadata: Sequence[tuple[str, str]]) -> int:
    """0 where the id is missing or none, as daemons before several exports (BuildKit 0.13) send no id."""
    for key, value in metadata:
        if key == _EXPORTER_ID:
            return int(value) if re.fullmatch(r"[+-]?[0-9]{1,18}", value) else 0
    return 0


def _mode(export: Export) -> Mode:
    deletes = export.type == "local" and export.attrs.get("mode", "").strip().lower() == "delete"
    return "delete" if deletes else "copy"
