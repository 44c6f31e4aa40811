"""Nothing is written past the door for text, `buildctl/cli/output.py`: the source is searched."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "buildctl"

ALLOWED = {
    ("system/writing.py", "os.write"): "the primitive of what follows",
    ("system/writing.py", "os.writev"): "the same",
    ("system/writing.py", "write_all"): "the same",
    ("system/beside.py", "write_pieces"): "a file beside its name",
    ("system/outfile.py", "write_all"): "files that are named",
    ("system/outfile.py", "write_pieces"): "the same",
    ("cli/environment.py", "write_all"): "the same for text, of what follows",
    ("cli/output.py", "write_all"): "the door",
    ("cli/output.py", "say_as_it_is"): "the door",
    ("progress/writer.py", "write_all"): "a display's stream, and files that grow",
    ("progress/show.py", "sys.stderr"): "where the library's Progress shows, unless the user names a stream",
    ("progress/modes.py", "StreamWriter"): "a display, with the masker and what makes it harmless",
    ("cli/listing.py", "print"): "rich's, into a string",
    ("cli/listing.py", "write_as_it_is"): "colours and columns of ours around cleaned text",
    ("cli/linefile.py", "StreamWriter"): "a file",
    ("cli/eventfile.py", "write_all"): "a file, or the descriptor of --events",
    ("cli/recordings.py", "write_all"): "a file of cache metrics",
    ("cli/ci.py", "write_all"): "the page of a job's summary",
    ("cli/ci.py", "say_as_it_is"): "a service's own commands, of cleaned text",
    ("cli/log.py", "say_as_it_is"): "colours of ours around cleaned text",
    ("cli/dial_stdio.py", "write_all"): "the bytes of a tunnel, which are no text",
    ("cli/console.py", "os.write"): "the terminal of a shell in a failed step, which is the user's own",
    ("cli/logfolder.py", "write_pieces"): "files",
    ("frontend/stdio.py", "os.write"): "the daemon's own calls, in a frontend's container",
    ("fsutil/diskwriter.py", "write_pieces"): "files of an export",
    ("fsutil/entrylog.py", "write_pieces"): "a file without a name",
    ("oci/ingest.py", "os.write"): "blobs",
    ("session/filesend.py", "write_pieces"): "the bytes of an export",
    ("transport/relay.py", "os.write"): "sockets",
}
"""Who may, and why: files and tunnels are no text for people."""

PRIVILEGED = {
    "os.write",
    "os.writev",
    "os.pwrite",
    "write_all",
    "write_pieces",
    "StreamWriter",
    "say_as_it_is",
    "write_as_it_is",
}
PRINTING = {
    "print",
    "input",
    "breakpoint",
    "pprint",
    "echo",
    "secho",
    "echo_via_pager",
    "print_exc",
    "print_tb",
}
PRINTING |= {"print_exception", "print_stack", "print_last", "print_help", "StreamHandler", "basicConfig"}
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
PATHS = ("/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/fd", "/proc/self/fd")


def ways(source: str) -> Iterator[str]:
    """What in a module may write to a standard stream."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if f"{node.value.id}.{node.attr}" in PRIVILEGED:
                yield f"{node.value.id}.{node.attr}"
            elif node.value.id == "sys" and node.attr in STREAMS:
                yield f"sys.{node.attr}"
        if isinstance(node, ast.ImportFrom):
            for taken in node.names:
                if node.module == "sys" and taken.name in STREAMS:
                    yield f"sys.{taken.name}"
                if node.module == "os" and f"os.{taken.name}" in PRIVILEGED:
                    yield f"os.{taken.name}"
        if isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in PRIVILEGED or name in PRINTING:
                yield name
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            if name in ("open", "fdopen", "FileIO") and any(map(_is_stream, arguments)):
                yield f"{name} of a stream"


def _is_stream(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant) and (node.value in (1, 2) or str(node.value).startswith(PATHS))
    ) or (isinstance(node, ast.Attribute) and node.attr in STREAMS)


def modules() -> list[str]:
    found = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
    return sorted(name for name in found if not name.startswith("_pb/"))


def test_nobody_writes_past_the_door() -> None:
    found = {(name, way) for name in modules() for way in ways((ROOT / name).read_text())}
    assert found - set(ALLOWED) == set()
    assert set(ALLOWED) - found == set(), "no longer needed"


@pytest.mark.parametrize(
    "line",
    [
        "print('x')",
        "import click; click.echo('x')",
        "import click\nclick.secho('x', err=True)",
        "import sys; sys.stdout.write('x')",
        "import sys\nwrite = sys.stderr.buffer.write",
        "from sys import stderr",
        "import os; os.write(1, b'x')",
        "import os\nsend = os.write",
        "from os import write",
        "from buildctl.cli.environment import write_all\nwrite_all(environment.stdout, 'x')",
        "import os; os.fdopen(2, 'w')",
        "open('/dev/stderr', 'w')",
        "open(environment.stdout, 'wb')",
        "import traceback; traceback.print_exc()",
        "import logging; logging.StreamHandler()",
        "app.output.say_as_it_is(name)",
    ],
)
def test_every_other_way_is_found(line: str) -> None:
    assert list(ways(line))
