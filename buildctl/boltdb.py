"""Read-only access to a BoltDB file, in which a daemon keeps the metadata of its cache.

A file is pages of one size. Pages 0 and 1 are metas, of which the valid one with the higher transaction id
counts; it names the root page of the tree of buckets. Branch pages name pages, leaf pages hold keys with
values or with nested buckets; a small bucket is a page inside its value. Source: go.etcd.io/bbolt, page.go.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

from buildctl.errors import BuildctlError
from buildctl.system.smallfile import open_found

_PAGE_HEADER = struct.Struct("<QHHI")  # id, flags, count, overflow
_META = struct.Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, pages, txid
_CHECKSUM = struct.Struct("<Q")
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, page
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, position, key size, value size
_BUCKET_HEADER = struct.Struct("<QQ")  # root page, sequence

_MAGIC = 0xED0CDAED
_VERSION = 2
_BRANCH_PAGE = 0x01
_LEAF_PAGE = 0x02
_NESTED = 0x01
_MAX_DEPTH = 64
"""Deeper than any tree of 2^64 keys."""

_LOCK_PAUSE_SECONDS = 0.05


class _Page(NamedTuple):
    """A page, with those that continue it."""

    start: int
    """Where in the file."""
    data: memoryview


class Bucket:
    """A bucket: keys in byte order, each with a value or a bucket of its own."""

    def __init__(self, file: _File, page: _Page, depth: int = 0) -> None:
        self._file = file
        self._page = page
        self._depth = depth

    def items(self) -> Iterator[tuple[bytes, bytes | Bucket]]:
        """Every key with what it holds. Raises `BuildctlError` where the file is damaged."""
        yield from self._page_items(self._page, self._depth)

    def _page_items(self, page: _Page, depth: int) -> Iterator[tuple[bytes, bytes | Bucket]]:
        if depth > _MAX_DEPTH:
            raise self._file.damaged("its tree is too deep")
        try:
            _, flags, count, _ = _PAGE_HEADER.unpack_from(page.data)
            room = len(page.data)
            for number in range(count):
                at = _PAGE_HEADER.size + number * _LEAF_ELEMENT.size  # a branch element has the same size
                if flags & _BRANCH_PAGE:
                    _, _, child = _BRANCH_ELEMENT.unpack_from(page.data, at)
                    yield from self._page_items(self._file.page(child, page.start + at), depth + 1)
                elif flags & _LEAF_PAGE:
                    item = self._leaf(page, at, depth)
                    room -= len(item[0]) + (len(item[1]) if isinstance(item[1], bytes) else 0)
                    if room < 0:  # or a small file could have no end
                        raise self._file.damaged("values overlap")
                    yield item
                else:
                    raise self._file.damaged("a page is neither branch nor leaf")
        except struct.error:
            raise self._file.damaged("a page ends early") from None

    def _leaf(self, page: _Page, at: int, depth: int) -> tuple[bytes, bytes | Bucket]:
        flags, position, key_size, value_size = _LEAF_ELEMENT.unpack_from(page.data, at)
        start = at + position
        value_start = start + key_size
        if value_start + value_size > len(page.data):
            raise self._file.damaged("a value lies outside its page")
        key, value = bytes(page.data[start:value_start]), page.data[value_start : value_start + value_size]
        if not flags & _NESTED:
            return key, bytes(value)
        root, _ = _BUCKET_HEADER.unpack_from(value)
        if root:
            return key, Bucket(self._file, self._file.page(root, page.start + at), depth + 1)
        inline = _Page(page.start + value_start + _BUCKET_HEADER.size, value[_BUCKET_HEADER.size :])
        self._file.claim(inline.start, page.start + at)
        return key, Bucket(self._file, inline, depth + 1)


class _File:
    """The pages of an open file."""

    def __init__(self, path: str, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._named_by: dict[int, int] = {}  # where pages begin, and where the one element is that names each
        self._paged = 0  # bytes of the pages that were named
        metas = [meta for at in self._meta_positions() if (meta := self._meta(at)) is not None]
        if not metas:
            raise self.damaged("it has no valid meta page")
        _, self._page_size, root = max(metas)
        self.root = Bucket(self, self.page(root, 0))

    def _meta_positions(self) -> Iterator[int]:
        """Where metas may be: in the first page, and behind a page of any usual size."""
        yield _PAGE_HEADER.size
        for size in (1024 << shift for shift in range(7)):
            yield size + _PAGE_HEADER.size

    def _meta(self, at: int) -> tuple[int, int, int] | None:
        """Transaction id, page size and root page of the meta there, if it is one and whole."""
        if at + _META.size + _CHECKSUM.size > len(self._data):
            return None
        magic, version, page_size, _, root, _, _, _, txid = _META.unpack_from(self._data, at)
        (checksum,) = _CHECKSUM.unpack_from(self._data, at + _META.size)
        whole = magic == _MAGIC and version == _VERSION and page_size >= 1024
        if not whole or checksum != _fnv64a(self._data[at : at + _META.size]):
            return None
        return txid, page_size, root

    def claim(self, start: int, element: int) -> None:
        """Refuse a page that two elements name: through such pages there may be endlessly many ways."""
        if self._named_by.setdefault(start, element) != element:
            raise self.damaged("a page is named twice")

    def page(self, number: int, element: int) -> _Page:
        """The page that the element at this place in the file names."""
        start = number * self._page_size
        if start + _PAGE_HEADER.size > len(self._data):
            raise self.damaged("it names a page behind its end")
        _, _, _, overflow = _PAGE_HEADER.unpack_from(self._data, start)
        if start not in self._named_by:
            self._paged += min((overflow + 1) * self._page_size, len(self._data) - start)
            if self._paged > len(self._data):
                raise self.damaged("pages overlap")
        self.claim(start, element)
        return _Page(start, memoryview(self._data[start : start + (overflow + 1) * self._page_size]))

    def damaged(self, how: str) -> BuildctlError:
        return BuildctlError(
            "invalid database", hint=f"{self._path} is no BoltDB file, or a damaged one: {how}"
        )


def _fnv64a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


@contextlib.contextmanager
def open_database(path: str, *, timeout: float = 3.0) -> Iterator[Bucket]:
    """The bucket of all top-level buckets, while the file is locked for reading.

    Raises `OSError` where the file cannot be read, and `BuildctlError` where it is no database, or where
    somebody has it open for writing for longer than `timeout` seconds.
    """
    with os.fdopen(open_found(path), "rb") as file:
        _lock_shared(file.fileno(), path, timeout)
        if os.fstat(file.fileno()).st_size == 0:
            raise BuildctlError("invalid database", hint=f"{path} is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield _File(path, data).root


def _lock_shared(descriptor: int, path: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                hint = f"a daemon has {path} open; stop it, or read a copy of its folder"
                raise BuildctlError("timeout", hint=hint) from None
        time.sleep(_LOCK_PAUSE_SECONDS)
