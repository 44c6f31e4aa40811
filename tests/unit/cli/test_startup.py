"""What a command line costs before it does anything: which packages it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

LOADED = """
import json, sys
from buildctl.cli.main import main
status = main(sys.argv[1:])
heavy = ["grpc", "rich", "google.protobuf", "hpack", "asyncio", "ssl", "humanize"]
print("\\n" + json.dumps([status, [name for name in heavy if name in sys.modules]]))
"""


def loaded_by(*arguments: str) -> tuple[int, list[str]]:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], cwd=ROOT, capture_output=True, check=True, text=True
    )
    status, names = json.loads(ran.stdout.splitlines()[-1])
    return status, names


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 0),
        (("--help",), 0),
        (("--version",), 0),
        (("build", "--help"), 0),
        (("help", "prune"), 0),
        (("debug",), 0),
        (("--nope",), 1),
        (("du", "--nope"), 1),
        (("build", "--no-cache=maybe"), 1),
        (("prune", "--keep-duration", "5"), 1),
        (("frob",), 3),
    ],
)
def test_help_version_and_bad_flags_load_nothing_heavy(arguments: tuple[str, ...], status: int) -> None:
    ended, names = loaded_by(*arguments)
    assert ended == status
    assert [name for name in names if name in ("grpc", "rich", "google.protobuf", "hpack")] == []


def test_the_library_s_front_door_loads_nothing_heavy() -> None:
    script = (
        "import sys, buildctl; print([n for n in ('grpc', 'rich', 'google.protobuf') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True)
    assert ran.stdout == "[]\n"
