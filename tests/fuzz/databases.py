"""Any file is a metadata database that is read to its end, or one error that says what is wrong with it."""

from __future__ import annotations

import random
import struct
import tempfile
from pathlib import Path

from buildctl.boltdb import open_database
from buildctl.cli.debug.dump_metadata import format_bucket
from buildctl.errors import BuildctlError
from tests.fuzz.driver import Harness
from tests.support.bolt_writer import BRANCH, LEAF, BoltFile, Tree

PAGE = 1024


def check(data: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder, "metadata_v2.db")
        path.write_bytes(data)
        size = 0
        try:
            with open_database(str(path), timeout=0) as top:
                for line in format_bucket(top, ""):
                    size += len(line)
        except BuildctlError as error:
            return f"{error} {error.hint.rpartition(': ')[2]}"
    return "read"


def made(source: random.Random) -> bytes:
    """A database that was whole until its pages were written over."""
    tree: Tree = {
        b"a": {b"in": {b"key": b"v" * source.randrange(200)}, b"n": b""},
        b"b": {b"%03d" % number: b"value" for number in range(source.choice((0, 3, 90)))},
        b"c": b"w" * source.choice((0, 10, 3000)),
    }
    file = BoltFile(PAGE, source.choice((0, 64)), source.choice((2, 7, 1000)))
    data = bytearray(file.build(tree))
    pages = len(data) // PAGE
    for _ in range(source.choice((0, 0, 1, 2, 3))):
        at = source.randrange(2, pages) * PAGE
        count = source.choice((1, 2, 20, 60))
        if source.random() < 0.5:
            kind = BRANCH
            element = struct.pack("<IIQ", 16, source.choice((0, 3)), source.randrange(pages + 1))
        else:
            kind = LEAF
            element = struct.pack("<IIII", source.choice((0, 1)), 16 * count, 0, 16)
        page = struct.pack("<QHHI", 2, kind, count, source.choice((0, 0, 1, 1 << 31))) + element * count
        page += struct.pack("<QQ", source.randrange(pages + 1), 0)
        data[at : at + PAGE] = page[:PAGE].ljust(PAGE, b"\0")
    return bytes(data)


HARNESS = Harness(
    "databases",
    check,
    lambda: [b"", *(made(random.Random(number)) for number in range(8))],
    words=(b"\0\0\0\0", b"\2\0\0\0\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0", b"\x10\0\0\0"),
    made=made,
)
