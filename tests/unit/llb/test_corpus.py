"""What we make of a graph is, byte for byte, what Go makes of it, whichever protobuf is below."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.llb_corpus import Entry, entries

COUNT = 299


@pytest.mark.parametrize("entry", list(entries()), ids=lambda entry: entry.name)
def test_a_graph_is_what_go_makes_of_it(entry: Entry) -> None:
    assert entry.differs() == ""


@pytest.mark.parametrize("backend", ["upb", "python"])
def test_every_protobuf_gives_the_same(backend: str) -> None:
    environment = os.environ | {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": backend, "PYTHONHASHSEED": "7"}
    found = subprocess.run(
        [sys.executable, "-m", "tests.support.llb_corpus"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == f"{COUNT} equal\n"
