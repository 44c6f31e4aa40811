"""The Content service: local stores that the daemon reads caches and layouts from and writes them to.

Which store is meant is in the metadata of each call. Codes and messages are those of containerd's service
(plugins/services/content) over its local store.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message

from buildctl._pb import content_pb2 as pb
from buildctl.errors import Code, ServiceError
from buildctl.fsutil.worker import Worker
from buildctl.model.quote import quote
from buildctl.model.repair import parse_message
from buildctl.oci.digest import Digest, parse_digest
from buildctl.oci.ingest import IngestStatus, Writer
from buildctl.oci.store import Blob, Store
from buildctl.session.metadata import values
from buildctl.session.stream import Handler, ServerStream
from buildctl.session.unary import read_request
from buildctl.system.failure import write_failure

STORE_ID = "buildkit-attachable-store-id"

_SERVICE = "/containerd.services.content.v1.Content/"
MAX_READS, MAX_WRITES = 4, 3
"""Calls at a time; others wait. Each has a thread, and one that writes has messages of up to 16 MiB twice."""
_READ_SIZE = 1 << 20
_LIST_SIZE = 100
_CLEANUP_SECONDS = 1.0
"""How long a disk that stalls may delay the end of a write."""

Request = TypeVar("Request", bound=Message)


class ContentService:
    """Attachable: the stores that were offered, by the ids they were offered under, and no other."""

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self._stores = dict(stores)

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            _SERVICE + "Abort": self._unary(pb.AbortRequest, _abort),
            _SERVICE + "Delete": self._unary(pb.DeleteContentRequest, _delete),
            _SERVICE + "Info": self._unary(pb.InfoRequest, _info),
            _SERVICE + "List": self._serving(_list),
            _SERVICE + "ListStatuses": self._unary(pb.ListStatusesRequest, _list_statuses),
            _SERVICE + "Read": self._in_turn(MAX_READS, self._serving(_read)),
            _SERVICE + "Status": self._unary(pb.StatusRequest, _status),
            _SERVICE + "Update": self._unary(pb.UpdateRequest, _update),
            _SERVICE + "Write": self._in_turn(MAX_WRITES, self._serving(_write)),
        }

    def _in_turn(self, at_once: int, handle: Handler) -> Handler:
        turns = asyncio.Semaphore(at_once)

        async def wait(stream: ServerStream) -> None:
            async with turns:
                await handle(stream)

        return wait

    def _unary(self, kind: type[Request], answer: Callable[[Store, Request], Message]) -> Handler:
        async def serve(store: Store, stream: ServerStream, worker: Worker) -> None:
            request = await read_request(kind, stream)
            response = await worker.run(answer, store, request)
            await stream.send_messages([response.SerializeToString()])

        return self._serving(serve)

    def _serving(self, serve: Callable[[Store, ServerStream, Worker], Awaitable[None]]) -> Handler:
        """A handler that has the store of the call, and a thread for its work on the disk."""

        async def handle(stream: ServerStream) -> None:
            store = self._choose(stream)
            worker = Worker("content")
            try:
                with _disk_failures(store):
                    await serve(store, stream, worker)
            finally:
                worker.close()

        return handle

    def _choose(self, stream: ServerStream) -> Store:
        names = values(stream.metadata, STORE_ID)
        if not names:
            raise ServiceError(
                Code.INVALID_ARGUMENT, f'request lacks metadata "{STORE_ID}": invalid argument'
            )
        store = self._stores.get(names[0])
        if store is None:
            raise ServiceError(Code.NOT_FOUND, f"unknown store {names[0]}: not found")
        return store


@contextmanager
def _disk_failures(store: Store) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_failure(f"use {store.path}", error) from error


def _decoded(kind: type[Request], message: bytes) -> Request:
    try:
        return parse_message(kind, message)
    except DecodeError:
        raise ServiceError(Code.INVALID_ARGUMENT, f"the request is no {kind.DESCRIPTOR.name}") from None


def _digest(text: str, prefix: str = "") -> Digest:
    """A digest of a request; `prefix` is what its message begins with if it is none."""
    try:
        return parse_digest(text)
    except ServiceError as error:
        message = f"{prefix}: {error}" if prefix else f"{quote(text)} failed validation"
        raise ServiceError(Code.INVALID_ARGUMENT, message) from None


# One request, one response


def _info(store: Store, request: pb.InfoRequest) -> pb.InfoResponse:
    return pb.InfoResponse(info=_info_message(store.info(_digest(request.digest))))


def _update(store: Store, request: pb.UpdateRequest) -> pb.UpdateResponse:
    _digest(request.info.digest)
    raise ServiceError(
        Code.FAILED_PRECONDITION, "update not supported on immutable content store: failed precondition"
    )


def _delete(store: Store, request: pb.DeleteContentRequest) -> Empty:
    store.delete(parse_digest(request.digest))
    return Empty()


def _status(store: Store, request: pb.StatusRequest) -> pb.StatusResponse:
    return pb.StatusResponse(status=_status_message(store.status(request.ref)))


def _list_statuses(store: Store, request: pb.ListStatusesRequest) -> pb.ListStatusesResponse:
    _refuse_filters(request.filters)
    return pb.ListStatusesResponse(statuses=map(_status_message, store.statuses()))


def _abort(store: Store, request: pb.AbortRequest) -> Empty:
    store.abort(request.ref)
    return Empty()


# Streams


async def _list(store: Store, stream: ServerStream, worker: Worker) -> None:
    _refuse_filters((await read_request(pb.ListContentRequest, stream)).filters)
    blobs = store.blobs()
    while block := await worker.run(lambda: list(islice(blobs, _LIST_SIZE))):
        response = pb.ListContentResponse(info=map(_info_message, block))
        await stream.send_messages([response.SerializeToString()])


async def _read(store: Store, stream: ServerStream, worker: Worker) -> None:
    request = await read_request(pb.ReadContentRequest, stream)
    read = _Read(store)
    try:
        size = await worker.run(read.open, request)
        for offset in range(0, size, _READ_SIZE):
            data = await worker.run(read.piece, min(_READ_SIZE, size - offset))
            # Offsets count from the request's, as the reference's do.
            response = pb.ReadContentResponse(offset=offset, data=data)
            await stream.send_messages([response.SerializeToString()])
    finally:
        worker.run(read.close)


class _Read:
    """One call of Read; everything here blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._file: io.FileIO | None = None

    def open(self, request: pb.ReadContentRequest) -> int:
        """How many bytes there are for the request."""
        self._file = self._store.open(_digest(request.digest, request.digest))
        size = self._file.seek(0, io.SEEK_END)
        start = max(0, request.offset)
        if start > size:
            raise ServiceError(Code.OUT_OF_RANGE, f"read past object length {size} bytes")
        self._file.seek(start)
        return size - start if request.size <= 0 else min(size - start, request.size)

    def piece(self, size: int) -> bytes:
        """The next bytes, so many of them."""
        assert self._file is not None
        data = self._file.read(size)
        while len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise ServiceError(Code.DATA_LOSS, "the blob has become shorter while it was read")
            data += more
        return data

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._file is not None:
            self._file.close()


async def _write(store: Store, stream: ServerStream, worker: Worker) -> None:
    """Messages are answered one by one, and all that have arrived in one hop to the disk."""
    write = _Write(store)
    try:
        while messages := await stream.receive_messages():
            failure = await worker.run(write.take, messages)
            await stream.send_messages([one.SerializeToString() for one in write.take_responses()])
            if failure is not None:
                raise failure
            if write.committed:
                return
        if not write.begun:
            raise ServiceError(Code.INVALID_ARGUMENT, "first message must have a reference")
    finally:
        await asyncio.wait([worker.run(write.close)], timeout=_CLEANUP_SECONDS)


class _Write:
    """One call of Write; everything here blocks."""

    def __init__(self, store: Store) -> None:
        self.committed = False
        self._store = store
        self._writer: Writer | None = None
        self._total = 0
        self._expected: Digest | None = None
        self._responses: list[pb.WriteContentResponse] = []

    @property
    def begun(self) -> bool:
        return self._writer is not None

    def take(self, messages: list[bytes]) -> Exception | None:
        """Do what the messages say; the failure of one comes after the answers to those before it.

        They are taken from the list, as each may have megabytes.
        """
        messages.reverse()
        try:
            while messages and not self.committed:
                self._responses.append(self._answer(_decoded(pb.WriteContentRequest, messages.pop())))
        except (ServiceError, OSError) as error:
            return error
        return None

    def take_responses(self) -> list[pb.WriteContentResponse]:
        """The answers since the last call."""
        responses, self._responses = self._responses, []
        return responses

    def close(self) -> None:
        """Leave what is not committed for another call to go on with."""
        if self._writer is not None:
            self._writer.close()

    def _answer(self, request: pb.WriteContentRequest) -> pb.WriteContentResponse:
        writer = self._writer or self._begin(request)
        self._expect(request, writer)
        if request.action == pb.STAT:
            status = writer.status
            response = pb.WriteContentResponse(
                action=request.action, offset=writer.offset, total=self._total, digest=str(writer.digest)
            )
            response.started_at.FromNanoseconds(status.started_ns)
            response.updated_at.FromNanoseconds(status.updated_ns)
            return response
        if request.offset not in (0, writer.offset):
            raise ServiceError(
                Code.OUT_OF_RANGE,
                f"write @{request.offset} must occur at current offset {writer.offset}",
            )
        if request.offset == 0 and writer.offset > 0:
            writer.truncate()
        writer.write(request.data)
        if request.action == pb.COMMIT:
            digest = writer.commit(self._total, self._expected)
            self.committed = True
        else:
            digest = writer.digest
        return pb.WriteContentResponse(action=request.action, offset=writer.offset, digest=str(digest))

    def _begin(self, request: pb.WriteContentRequest) -> Writer:
        if not request.ref:
            raise ServiceError(Code.INVALID_ARGUMENT, "first message must have a reference")
        self._expected = _expected(request)
        total = max(0, request.total)
        self._writer = self._store.writer(request.ref, total=total, expected=self._expected)
        return self._writer

    def _expect(self, request: pb.WriteContentRequest, writer: Writer) -> None:
        """A message may say, or correct, what is to come."""
        if expected := _expected(request):
            self._expected = expected
            if self._store.has(expected):
                writer.discard()
                raise ServiceError(Code.ALREADY_EXISTS, f"blob with expected digest {expected} exists")
        if request.total > 0:
            self._total = request.total


def _expected(request: pb.WriteContentRequest) -> Digest | None:
    if not request.expected:
        return None
    return _digest(
        request.expected,
        "calculating expected blob path for writer: cannot calculate blob path from invalid digest",
    )


# Messages


def _info_message(blob: Blob) -> pb.Info:
    message = pb.Info(digest=str(blob.digest), size=blob.size)
    message.created_at.FromNanoseconds(blob.created_ns)
    message.updated_at.FromNanoseconds(blob.updated_ns)
    return message


def _status_message(status: IngestStatus) -> pb.Status:
    message = pb.Status(ref=status.ref, offset=status.offset, total=status.total)
    message.started_at.FromNanoseconds(status.started_ns)
    message.updated_at.FromNanoseconds(status.updated_ns)
    return message


def _refuse_filters(filters: Iterable[str]) -> None:
    if any(filters):
        raise ServiceError(Code.UNIMPLEMENTED, "filters are not supported")
