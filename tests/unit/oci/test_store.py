"""Blobs in a layout: what arrives is verified, what others choose stays inside, nothing partial shows."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildctl.errors import Code, ServiceError
from buildctl.oci.digest import Digest, parse_digest
from buildctl.oci.ingest import Writer
from buildctl.oci.store import Store
from tests.support.descriptors import descriptors_in


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


def add(store: Store, data: bytes, ref: str = "ref", algorithm: str = "sha256") -> Digest:
    expected = digest_of(data, algorithm)
    writer = store.writer(ref, expected=expected)
    writer.write(data)
    assert writer.commit(len(data), expected) == expected
    return expected


def tree(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*"))


def code_of(call: Callable[[], Any]) -> Code:
    with pytest.raises(ServiceError) as caught:
        call()
    return caught.value.code


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "layout"))


# Digests


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid checksum digest format"),
        ("sha256", "invalid checksum digest format"),
        ("sha256:", "invalid checksum digest format"),
        (":" + "a" * 64, "invalid checksum digest format"),
        ("sha256:abc", "invalid checksum digest length"),
        ("sha256:" + "A" * 64, "invalid checksum digest format"),
        ("sha256:" + "a" * 63 + "\n", "invalid checksum digest format"),
        ("sha256:" + "a" * 64 + "\n", "invalid checksum digest length"),
        ("sha256:" + "../" * 21 + "a", "invalid checksum digest format"),
        ("sha384:" + "a" * 64, "invalid checksum digest length"),
        ("md5:" + "a" * 32, "unsupported digest algorithm"),
        ("../x:" + "a" * 64, "invalid checksum digest format"),
        ("sha256:" + "٣" * 64, "invalid checksum digest format"),
    ],
)
def test_digests_that_name_no_blob(text: str, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        parse_digest(text)
    assert (caught.value.code, str(caught.value)) == (Code.INVALID_ARGUMENT, message)


# Writing


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_blob_arrives(store: Store, algorithm: str) -> None:
    digest = add(store, b"content", algorithm=algorithm)
    path = Path(store.path, "blobs", algorithm, digest.encoded)
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o7777 == 0o444
    assert tree(Path(store.path)) == [
        "blobs",
        f"blobs/{algorithm}",
        f"{path.relative_to(store.path)}",
        "ingest",
    ]
    assert store.info(digest).size == 7
    assert store.read(digest, limit=7) == b"content"
    assert [blob.digest for blob in store.blobs()] == [digest]


def test_nothing_is_made_by_looking(store: Store) -> None:
    digest = digest_of(b"x")
    assert code_of(lambda: store.info(digest)) is Code.NOT_FOUND
    assert code_of(lambda: store.open(digest)) is Code.NOT_FOUND
    assert code_of(lambda: store.status("ref")) is Code.NOT_FOUND
    assert list(store.blobs()) == []
    assert store.statuses() == []
    store.delete(digest)
    store.abort("ref")
    assert not Path(store.path).exists()


def test_missing_content_is_told_in_the_words_of_the_reference(store: Store) -> None:
    with pytest.raises(ServiceError) as caught:
        store.info(digest_of(b"x"))
    assert str(caught.value) == f"content {digest_of(b'x')}: not found"


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_modes_are_the_same_for_no_umask_and_never_looser(store: Store, umask: int) -> None:
    before = os.umask(umask)
    try:
        digest = add(store, b"content")
        writer = store.writer("begun")
        ingests = [folder.stat().st_mode & 0o777 for folder in Path(store.path, "ingest").iterdir()]
        writer.close()
    finally:
        os.umask(before)
    assert ingests == [0o755 & ~umask]
    path = Path(store.path, "blobs", "sha256", digest.encoded)
    assert path.stat().st_mode & 0o777 == 0o444 & ~umask
    assert Path(store.path).stat().st_mode & 0o777 == 0o755 & ~umask


def test_wrong_content_never_becomes_a_blob_and_is_dropped(store: Store) -> None:
    expected = digest_of(b"promised")
    writer = store.writer("ref", expected=expected)
    writer.write(b"delivered")
    with pytest.raises(ServiceError) as caught:
        writer.commit(0, expected)
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert str(caught.value) == (
        f"unexpected commit digest {digest_of(b'delivered')}, expected {expected}: failed precondition"
    )
    assert tree(Path(store.path)) == ["ingest"]


def test_a_wrong_size_never_becomes_a_blob(store: Store) -> None:
    writer = store.writer("ref")
    writer.write(b"abc")
    with pytest.raises(ServiceError, match="unexpected commit size 3, expected 4: failed precondition"):
        writer.commit(4)
    assert tree(Path(store.path)) == ["ingest"]


def test_an_algorithm_that_is_named_at_the_end_is_verified_too(store: Store) -> None:
    expected = digest_of(b"content", "sha512")
    writer = store.writer("ref")
    writer.write(b"content")
    assert writer.commit(7, expected) == expected
    assert store.has(expected)


def test_what_is_there_is_not_written_again(store: Store) -> None:
    digest = add(store, b"content")
    with pytest.raises(ServiceError) as caught:
        store.writer("ref", expected=digest)
    assert (caught.value.code, str(caught.value)) == (
        Code.ALREADY_EXISTS,
        f"content {digest}: already exists",
    )
    unknowing = store.writer("ref")
    unknowing.write(b"content")
    assert code_of(lambda: unknowing.commit()) is Code.ALREADY_EXISTS
    assert store.statuses() == []


def test_an_interrupted_write_goes_on_where_it_was(store: Store) -> None:
    first = store.writer("ref", total=10)
    first.write(b"hello ")
    first.close()
    assert [(one.ref, one.offset, one.total) for one in store.statuses()] == [("ref", 6, 10)]
    second = store.writer("ref", total=10, expected=digest_of(b"hello you!"))
    assert (second.offset, second.digest) == (6, digest_of(b"hello "))
    second.write(b"you!")
    assert second.commit(10) == digest_of(b"hello you!")
    assert store.statuses() == []


def test_an_interrupted_write_of_another_size_begins_again(store: Store) -> None:
    first = store.writer("ref", total=10)
    first.write(b"hello long tail")
    first.close()
    second = store.writer("ref", total=2)
    assert second.offset == 0
    second.write(b"hi")
    assert second.commit(2) == digest_of(b"hi")


def test_a_write_can_begin_again(store: Store) -> None:
    writer = store.writer("ref")
    writer.write(b"wrong")
    writer.truncate()
    writer.write(b"right")
    assert writer.commit(5) == digest_of(b"right")


def test_a_write_of_nothing_leaves_nothing(store: Store) -> None:
    store.writer("ref").close()
    assert tree(Path(store.path)) == ["ingest"]


def test_one_writer_a_ref(store: Store) -> None:
    writer = store.writer("ref")
    assert code_of(lambda: store.writer("ref")) is Code.UNAVAILABLE
    assert code_of(lambda: Store(store.path).writer("ref")) is Code.UNAVAILABLE
    store.writer("other").close()
    writer.close()
    store.writer("ref").close()


def test_an_aborted_write_cannot_be_committed(store: Store) -> None:
    writer = store.writer("ref")
    writer.write(b"abc")
    store.abort("ref")
    again = store.writer("ref")
    again.write(b"def")
    with pytest.raises(FileNotFoundError):
        writer.commit()
    assert again.commit() == digest_of(b"def")
    assert [blob.digest for blob in store.blobs()] == [digest_of(b"def")]


def test_a_store_for_reading_refuses_to_change(store: Store) -> None:
    digest = add(store, b"content")
    reading = Store(store.path, read_only=True)
    assert reading.read(digest, limit=100) == b"content"
    for change in (
        lambda: reading.writer("ref"),
        lambda: reading.delete(digest),
        lambda: reading.abort("ref"),
    ):
        assert code_of(change) is Code.PERMISSION_DENIED
    assert reading.has(digest)


def _write_many(layout: str, number: int) -> None:
    store = Store(layout)
    for serial in range(30):
        data = b"blob %d" % serial
        try:
            writer = store.writer(f"ref {serial}", expected=digest_of(data))
            writer.write(data)
            writer.commit(len(data), digest_of(data))
        except ServiceError as error:
            if error.code not in (Code.ALREADY_EXISTS, Code.UNAVAILABLE):
                raise


def test_processes_that_write_the_same_blobs_at_once(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(store.path, number)) for number in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * 4
    assert {blob.digest for blob in store.blobs()} == {digest_of(b"blob %d" % serial) for serial in range(30)}
    for blob in store.blobs():
        store.read(blob.digest, limit=100)
    assert store.statuses() == []
    assert os.listdir(Path(store.path, "ingest")) == []


def test_no_descriptor_is_left_open(store: Store) -> None:
    digest = add(store, b"content")
    store.info(digest)
    list(store.blobs())
    writer = store.writer("ref")
    code_of(lambda: store.writer("ref"))
    writer.write(b"x")
    writer.close()
    code_of(lambda: store.writer("other", expected=digest))
    store.statuses()
    assert descriptors_in(Path(store.path).parent) == 0


# Layouts that somebody prepared


@pytest.mark.parametrize("ref", ["../../../evil", "/etc/passwd", "a/../../b", ".", "", "x\0y", "é" * 300])
def test_a_ref_is_no_path(store: Store, tmp_path: Path, ref: str) -> None:
    writer = store.writer(ref)
    writer.write(b"x")
    writer.close()
    assert store.status(ref).ref == ref
    (folder,) = os.listdir(Path(store.path, "ingest"))
    assert folder == hashlib.sha256(ref.encode()).hexdigest()
    assert os.listdir(tmp_path) == ["layout"]


def linked(store: Store, digest: Digest, target: str | Path) -> None:
    blobs = Path(store.path, "blobs", digest.algorithm)
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / digest.encoded).unlink(missing_ok=True)
    (blobs / digest.encoded).symlink_to(target)


@pytest.mark.parametrize("kind", ["relative", "absolute", "of a link"])
def test_a_link_to_what_has_the_digest_is_a_blob(store: Store, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "store" / "blob"
    target.parent.mkdir()
    target.write_bytes(b"content")
    digest = digest_of(b"content", "sha512")
    (tmp_path / "second").symlink_to("store/blob")
    targets: dict[str, str | Path] = {
        "relative": "../../../store/blob",
        "absolute": target,
        "of a link": tmp_path / "second",
    }
    linked(store, digest, targets[kind])
    assert store.info(digest).size == 7
    assert store.read(digest, limit=7) == b"content"
    assert [blob.digest for blob in store.blobs()] == [digest]
    assert store.has(digest)


def test_a_link_to_anything_else_tells_nothing(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    digest = digest_of(b"something else")
    os.mkfifo(tmp_path / "pipe")
    before = descriptors_in(tmp_path)
    cases: list[tuple[str | Path, Code]] = [
        (secret, Code.DATA_LOSS),
        (tmp_path / "nowhere", Code.NOT_FOUND),
        (tmp_path / "pipe", Code.FAILED_PRECONDITION),
        ("/dev/zero", Code.FAILED_PRECONDITION),
        (tmp_path, Code.FAILED_PRECONDITION),
        (digest.encoded, Code.FAILED_PRECONDITION),  # itself
    ]
    for target, code in cases:
        linked(store, digest, target)
        for call in (store.info, store.open):
            with pytest.raises(ServiceError, match="link") as caught:
                call(digest)
            assert caught.value.code is code
        assert not store.has(digest)
        assert list(store.blobs()) == []
    assert descriptors_in(tmp_path) == before


def test_what_a_link_leads_to_is_looked_at_again_when_it_has_changed(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "blob"
    target.write_bytes(b"content")
    digest = digest_of(b"content")
    linked(store, digest, target)
    assert store.read(digest, limit=7) == b"content"
    target.write_bytes(b"secret!")
    assert code_of(lambda: store.info(digest)) is Code.DATA_LOSS
    assert code_of(lambda: store.open(digest)) is Code.DATA_LOSS


def test_a_link_is_read_once_for_many_requests(store: Store, tmp_path: Path) -> None:
    """A daemon reads a blob in many pieces, each a request of its own."""
    target = tmp_path / "blob"
    target.write_bytes(bytes(4 << 20))
    digest = digest_of(bytes(4 << 20))
    linked(store, digest, target)
    began = time.process_time()
    store.open(digest).close()
    once = time.process_time() - began
    began = time.process_time()
    for _ in range(50):
        store.open(digest).close()
    assert time.process_time() - began < 10 * once + 0.05


@pytest.mark.parametrize("link", ["blobs", "blobs/sha256", "ingest"])
def test_links_are_not_written_through(store: Store, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    path = Path(store.path, link)
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)
    with pytest.raises(OSError):  # noqa: PT011  Linux says ENOTDIR, others ELOOP
        add(store, b"content")
    assert os.listdir(outside) == []


def test_an_ingest_that_is_a_link_is_not_written_through(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    writer = store.writer("ref")
    writer.write(b"x")
    writer.close()
    data = next(Path(store.path, "ingest").glob("*/data"))
    data.unlink()
    data.symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        store.writer("ref")
    assert outside.read_bytes() == b"precious"


def test_a_pipe_is_no_blob_and_nobody_waits_for_it(store: Store) -> None:
    digest = digest_of(b"x")
    blobs = Path(store.path, "blobs", "sha256")
    blobs.mkdir(parents=True)
    os.mkfifo(blobs / digest.encoded)
    assert code_of(lambda: store.open(digest)) is Code.FAILED_PRECONDITION
    writer = store.writer("ref")
    writer.write(b"x")
    writer.close()
    data = next(Path(store.path, "ingest").glob("*/data"))
    data.unlink()
    os.mkfifo(data)
    assert code_of(lambda: store.writer("ref")) is Code.FAILED_PRECONDITION


def test_a_damaged_blob_is_told(store: Store) -> None:
    digest = add(store, b"content")
    path = Path(store.path, "blobs", "sha256", digest.encoded)
    path.chmod(0o644)
    path.write_bytes(b"changed")
    assert code_of(lambda: store.read(digest, limit=100)) is Code.DATA_LOSS
    assert code_of(lambda: store.read(digest, limit=3)) is Code.RESOURCE_EXHAUSTED


def test_what_lies_about_is_passed_over(store: Store) -> None:
    digest = add(store, b"content")
    for stray in ("blobs/sha256/README", "blobs/md5/x", "blobs/sha256/" + "A" * 64, "ingest/x"):
        Path(store.path, stray).parent.mkdir(exist_ok=True)
        Path(store.path, stray).touch()
    Path(store.path, "ingest", "empty").mkdir()
    assert [blob.digest for blob in store.blobs()] == [digest]
    assert store.statuses() == []


def test_a_writer_that_is_gone_without_a_word_leaves_what_can_be_resumed(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_write_and_die, args=(store.path,))
    process.start()
    process.join()
    writer = Writer(store.path, "ref")
    assert writer.offset == 5
    writer.close()


def _write_and_die(layout: str) -> None:
    Store(layout).writer("ref").write(b"hello")
    os._exit(0)
