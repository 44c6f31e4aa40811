"""Steps know the line of the program that asked for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildctl import llb
from buildctl.llb.dump import dump_json

_PROGRAM = """\
import sys
from buildctl import llb

def build():
    return llb.scratch().file(llb.mkdir("/a"), location=llb.here())

def there():
    return llb.here(1)

state = build()
state = state.file(
    llb.mkfile("/a/b", 0o644, "hi"),
    location=there(),
)
sys.stdout.buffer.write(state.marshal(platform="linux/amd64").to_bytes())
"""


@pytest.fixture
def definition(tmp_path: Path) -> bytes:
    """Of the program, run in its folder."""
    (tmp_path / "graph.py").write_text(_PROGRAM)
    path = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, str(tmp_path / "graph.py")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        check=True,
    ).stdout


def test_here_is_the_line_of_the_caller(definition: bytes) -> None:
    ops = list(llb.Definition.from_bytes(definition).dump())
    places = [
        (info.filename, info.language, info.data.decode(), place.start.line)
        for op in ops
        for info, ranges in op.locations
        for place in ranges
    ]
    assert places == [("graph.py", "Python", _PROGRAM, 5), ("graph.py", "Python", _PROGRAM, 13)]
    assert [op.kind for op in ops] == ["file", "file", ""]


def test_the_dump_shows_the_lines_of_python(definition: bytes) -> None:
    lines = [json.loads(line).get("Source") for line in dump_json(definition)]
    assert lines == [
        [
            {
                "filename": "graph.py",
                "line": 5,
                "text": 'return llb.scratch().file(llb.mkdir("/a"), location=llb.here())',
            }
        ],
        [{"filename": "graph.py", "line": 13, "text": "location=there(),"}],
        None,
    ]


def test_the_dump_of_other_languages_is_the_reference_s() -> None:
    place = llb.SourceMap("Dockerfile", b"FROM x\n", language="Dockerfile").at(1)
    data = llb.image("x", location=place).marshal(platform="linux/amd64").to_bytes()
    assert all("Source" not in json.loads(line) for line in dump_json(data))


def test_a_place_is_a_line_a_position_or_ranges() -> None:
    source = llb.SourceMap("f", b"")
    one = llb.Position(3, 0)
    assert source.at(3).ranges == (llb.Range(one, one),)
    assert source.at((3, 1), 4).ranges == (llb.Range(llb.Position(3, 1), llb.Position(4, 0)),)
    assert source.at().ranges == ()
    assert source.at(ranges=[llb.Range(one, one)]).ranges == (llb.Range(one, one),)
    with pytest.raises(llb.UsageError, match="end is given without start"):
        source.at(end=2)


def test_a_depth_that_is_not_there_is_refused() -> None:
    with pytest.raises(llb.UsageError, match="not that many calls"):
        llb.here(100_000)
