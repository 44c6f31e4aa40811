"""A writer of BoltDB files, as go.etcd.io/bbolt lays them out: two metas, and pages of one size.

Pages are written in the order in which they come: metas first, then children before the parents that name
them. Small enough for tests: no freelist, no transactions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

META, LEAF, BRANCH = 0x04, 0x02, 0x01
MAGIC, VERSION = 0xED0CDAED, 2

Tree = dict[bytes, "bytes | Tree"]


@dataclass
class BoltFile:
    """The pages of a file; `nested` buckets of at most `inline` bytes stay in their parent's page."""

    page_size: int = 4096
    inline: int = 64
    per_leaf: int = 100
    """How many keys a leaf takes before a branch is put above several."""
    pages: list[bytes] = field(default_factory=list)

    def build(self, tree: Tree, *, transaction: int = 1) -> bytes:
        """The whole file, its newer meta in page 1."""
        self.pages = [bytes(self.page_size)] * 2
        root = self._write_tree(tree)
        older = self.meta(0, root=0, transaction=transaction - 1)
        newer = self.meta(1, root=root, transaction=transaction)
        return b"".join([older, newer, *self.pages[2:]])

    def meta(self, number: int, *, root: int, transaction: int) -> bytes:
        body = struct.pack(
            "<IIIIQQQQQ", MAGIC, VERSION, self.page_size, 0, root, 0, 0, len(self.pages), transaction
        )
        page = self._header(number, META, 0) + body + struct.pack("<Q", fnv64a(body))
        return page.ljust(self.page_size, b"\0")

    def _write_tree(self, tree: Tree) -> int:
        """Write a bucket's pages; returns the number of its root."""
        items = [self._item(key, value) for key, value in sorted(tree.items())]
        leaves = [items[at : at + self.per_leaf] for at in range(0, len(items), self.per_leaf)] or [[]]
        numbers = [self._add_page(LEAF, len(leaf), _leaf_content(leaf)) for leaf in leaves]
        if len(numbers) == 1:
            return numbers[0]
        first_keys = [leaf[0][1] for leaf in leaves]
        return self._add_page(BRANCH, len(numbers), _branch_content(first_keys, numbers))

    def _item(self, key: bytes, value: bytes | Tree) -> tuple[int, bytes, bytes]:
        """Flags, key and value of an element."""
        if isinstance(value, bytes):
            return 0, key, value
        items = [self._item(name, content) for name, content in sorted(value.items())]
        page = self._header(0, LEAF, len(items)) + _leaf_content(items)
        if len(page) <= self.inline and all(isinstance(content, bytes) for content in value.values()):
            return 1, key, struct.pack("<QQ", 0, 0) + page
        return 1, key, struct.pack("<QQ", self._write_tree(value), 0)

    def _add_page(self, flags: int, count: int, content: bytes) -> int:
        number = len(self.pages)
        size = 16 + len(content)
        overflow = -(-size // self.page_size) - 1
        page = self._header(number, flags, count, overflow) + content
        padded = page.ljust((overflow + 1) * self.page_size, b"\0")
        self.pages += [padded, *[b""] * overflow]
        return number

    def _header(self, number: int, flags: int, count: int, overflow: int = 0) -> bytes:
        return struct.pack("<QHHI", number, flags, count, overflow)


def _leaf_content(items: list[tuple[int, bytes, bytes]]) -> bytes:
    elements, contents = b"", b""
    for number, (flags, key, value) in enumerate(items):
        position = (len(items) - number) * 16 + len(contents)
        elements += struct.pack("<IIII", flags, position, len(key), len(value))
        contents += key + value
    return elements + contents


def _branch_content(keys: list[bytes], numbers: list[int]) -> bytes:
    elements, contents = b"", b""
    for at, (key, number) in enumerate(zip(keys, numbers, strict=True)):
        position = (len(keys) - at) * 16 + len(contents)
        elements += struct.pack("<IIQ", position, len(key), number)
        contents += key
    return elements + contents


def fnv64a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value
