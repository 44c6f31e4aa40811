"""All bytes reach a descriptor, however few it takes at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.system.writing import write_all, write_pieces


@given(st.lists(st.one_of(st.just(b""), st.binary(max_size=30)), min_size=1, max_size=12), st.integers(1, 40))
def test_pieces_are_written_whole_where_a_write_takes_a_part(pieces: list[bytes], most: int) -> None:
    write = os.write

    def part(descriptor: int, data: bytes | memoryview) -> int:
        return write(descriptor, data[:most])

    def part_of_all(descriptor: int, together: list[bytes]) -> int:
        return write(descriptor, b"".join(together)[:most])

    reader, writer = os.pipe()
    with open(reader, "rb") as file:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", part)
            patch.setattr(os, "writev", part_of_all)
            write_pieces(writer, pieces)
        os.close(writer)
        assert file.read() == b"".join(pieces)


def test_more_pieces_are_written_than_one_call_takes(tmp_path: Path) -> None:
    pieces = [bytes([number % 251]) * (number % 7) for number in range(2500)]
    with (tmp_path / "file").open("wb") as file:
        write_pieces(file.fileno(), pieces)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_a_descriptor_that_is_not_to_wait_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    content = os.urandom(300_000)
    told: list[None] = []

    def write() -> None:
        write_all(writer, content, lambda: told.append(None))
        write_pieces(writer, [content[:7], content])
        os.close(writer)

    thread = threading.Thread(target=write)
    with open(reader, "rb") as file:
        thread.start()
        assert file.read() == content + content[:7] + content
    thread.join()
    assert len(told) >= 5


def test_a_reader_that_has_left_is_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write_all(writer, b"x")
    os.close(writer)
