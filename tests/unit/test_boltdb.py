"""BoltDB files, whole and damaged, and what dump-metadata makes of them."""

from __future__ import annotations

import fcntl
import os
import struct
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildctl.boltdb import Bucket, open_database
from buildctl.cli.debug.dump_metadata import find_databases, format_bucket
from buildctl.errors import BuildctlError
from tests.support.bolt_writer import BRANCH, LEAF, BoltFile, Tree

TREE: Tree = {
    b"_main": {b"sha256:1": {b"cacheRecord": b"x" * 200, b"name": b"small"}, b"empty": {}},
    b"links": {b"%03d" % number: b"value %d" % number for number in range(250)},
    b"plain": b"at the top",
    b"large": b"y" * 20_000,
}


def write(folder: Path, data: bytes) -> str:
    path = folder / "metadata_v2.db"
    path.write_bytes(data)
    return str(path)


def read(path: str) -> Tree:
    with open_database(path, timeout=0.1) as top:
        return _tree(top)


def _tree(bucket: Bucket) -> Tree:
    return {key: value if isinstance(value, bytes) else _tree(value) for key, value in bucket.items()}


@pytest.mark.parametrize("page_size", [1024, 4096, 16384, 65536])
@pytest.mark.parametrize("inline", [0, 64, 10_000])
@pytest.mark.parametrize("per_leaf", [1, 7, 1000])
def test_every_layout(page_size: int, inline: int, per_leaf: int, tmp_path: Path) -> None:
    assert read(write(tmp_path, BoltFile(page_size, inline, per_leaf).build(TREE))) == TREE


def test_an_empty_database(tmp_path: Path) -> None:
    assert read(write(tmp_path, BoltFile().build({}))) == {}


def test_the_newer_of_two_metas_counts(tmp_path: Path) -> None:
    file = BoltFile()
    data = file.build({b"a": b"1"}, transaction=9)
    torn = file.meta(0, root=77, transaction=10)[:70] + bytes(4096 - 70)  # a commit that was cut off
    assert read(write(tmp_path, torn + data[4096:])) == {b"a": b"1"}


def test_text(tmp_path: Path) -> None:
    tree: Tree = {b"out\xff\n": {b"in": {b"key": b"raw\xff"}}, b"z": b""}
    with open_database(write(tmp_path, BoltFile().build(tree))) as top:
        assert b"".join(format_bucket(top, "")) == (
            b'bucket "out\\xff\\n":\n  bucket "in":\n    "key": raw\xff\n"z": \n'
        )


def test_databases_right_below_a_folder(tmp_path: Path) -> None:
    for name in ("b", "a", "without"):
        (tmp_path / name).mkdir()
    for name in ("b", "a", "."):
        (tmp_path / name / "metadata_v2.db").touch()
    os.symlink("a", tmp_path / "link")
    names = [os.path.relpath(path, tmp_path) for path in find_databases(str(tmp_path))]
    assert names == ["a/metadata_v2.db", "b/metadata_v2.db"]


def refuse(path: str) -> str:
    with pytest.raises(BuildctlError) as caught:
        read(path)
    assert str(caught.value) == "invalid database"
    return caught.value.hint


def page(flags: int, count: int, content: bytes = b"", *, overflow: int = 0) -> bytes:
    return (struct.pack("<QHHI", 2, flags, count, overflow) + content).ljust(4096, b"\0")


def with_root(root_page: bytes) -> bytes:
    file = BoltFile()
    file.build({})
    return file.meta(0, root=2, transaction=1) + file.meta(1, root=2, transaction=2) + root_page


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"not a database", "no valid meta"),
        (bytes(100_000), "no valid meta"),
        (BoltFile().build(TREE)[:9000], "behind its end"),
        (with_root(page(0x10, 1)), "neither branch nor leaf"),
        (with_root(page(LEAF, 1, struct.pack("<IIII", 0, 16, 10, 5000))), "outside its page"),
        (with_root(page(LEAF, 60_000)), ""),
        (with_root(page(LEAF, 1, struct.pack("<IIII", 1, 16, 1, 3))), "ends early"),
        (with_root(page(BRANCH, 1, struct.pack("<IIQ", 16, 0, 2))), "named twice"),
        (with_root(page(BRANCH, 1, struct.pack("<IIQ", 16, 0, 1 << 60))), "behind its end"),
        (
            with_root(page(LEAF, 1, struct.pack("<IIII", 1, 16, 0, 16) + struct.pack("<QQ", 2, 0))),
            "named twice",
        ),
    ],
)
def test_damage(data: bytes, why: str, tmp_path: Path) -> None:
    assert why in refuse(write(tmp_path, data))


def test_branches_that_lead_back_twice_do_not_take_for_ever(tmp_path: Path) -> None:
    elements = struct.pack("<IIQ", 32, 0, 2) + struct.pack("<IIQ", 16, 0, 2)
    refuse(write(tmp_path, with_root(page(BRANCH, 2, elements))))


def test_values_that_overlap(tmp_path: Path) -> None:
    """A page of 16 kB would come to 200 of them, each of almost all that the page has."""
    elements = b"".join(struct.pack("<IIII", 0, 3200 - number * 16, 0, 12_000) for number in range(200))
    content = struct.pack("<QHHI", 2, LEAF, 200, 3) + elements
    assert refuse(write(tmp_path, with_root(content.ljust(16384, b"v")))).endswith("values overlap")


def test_pages_that_overlap(tmp_path: Path) -> None:
    """Each goes to the end of the file, so that all together are as large as its square."""
    root = page(BRANCH, 50, b"".join(struct.pack("<IIQ", 16, 0, 3 + number) for number in range(50)))
    leaves = b"".join(page(LEAF, 0, overflow=50 - number) for number in range(51))
    assert refuse(write(tmp_path, with_root(root + leaves))).endswith("pages overlap")


def test_pages_without_number_behind_a_small_one(tmp_path: Path) -> None:
    refuse(write(tmp_path, with_root(page(LEAF, 65535, overflow=2**32 - 1))))


def test_a_database_that_a_daemon_has_open(tmp_path: Path) -> None:
    path = write(tmp_path, BoltFile().build(TREE))
    with open(path, "rb") as daemon:
        fcntl.flock(daemon, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(BuildctlError, match="^timeout$") as caught:
            read(path)
    assert 0.1 <= time.monotonic() - began < 2
    assert path in caught.value.hint


def test_readers_share(tmp_path: Path) -> None:
    path = write(tmp_path, BoltFile().build(TREE))
    with open_database(path), open_database(path, timeout=0.1):
        pass


def check_dump(data: bytes) -> None:
    """The bytes are either dumped or refused."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            with open_database(file.name) as top:
                for _ in zip(format_bucket(top, ""), range(2000), strict=False):
                    pass
        except BuildctlError as error:
            if str(error) != "invalid database":
                raise


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_dumped(data: bytes) -> None:
    check_dump(data)


WHOLE = BoltFile(1024).build({b"a": {b"b": {b"c": b"d" * 90}}, b"l": {b"%d" % n: b"v" for n in range(200)}})


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(2048, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_damage_behind_the_metas_is_refused_or_dumped(damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, byte in damage:
        data[at] = byte
    check_dump(bytes(data))


@given(st.integers(0, len(WHOLE)))
def test_any_cut_is_refused_or_dumped(length: int) -> None:
    check_dump(WHOLE[:length])
