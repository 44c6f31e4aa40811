"""What a command line costs before it does anything: which packages it loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.replay import load
from tests.support.replay_server import ReplayServer, serve

ROOT = Path(__file__).parents[3]

HEAVY = ["asyncio", "google.protobuf", "grpc", "hpack", "humanize", "rich", "ssl"]
# Each is milliseconds that click does not spend already, and `--version` is measured in tens of them.
LIGHT = ["dataclasses", "decimal", "json", "logging", "secrets", "socket", "subprocess", "tempfile"]

LOADED = f"""
import sys
from buildctl.cli.main import main
status = main(sys.argv[1:])
print()
print(status, *(name for name in {HEAVY + LIGHT} if name in sys.modules))
"""

WITHOUT_COVERAGE = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""What measures coverage loads modules of its own."""


def loaded_by(*arguments: str) -> tuple[int, set[str]]:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=ROOT,
        env=WITHOUT_COVERAGE,
        capture_output=True,
        check=True,
        text=True,
    )
    status, *names = ran.stdout.splitlines()[-1].split()
    return int(status), set(names)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [((), 0), (("--help",), 0), (("--version",), 0), (("debug",), 0), (("--nope",), 1), (("frob",), 3)],
)
def test_what_needs_no_command_loads_click_and_little_else(arguments: tuple[str, ...], status: int) -> None:
    assert loaded_by(*arguments) == (status, set())


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("build", "--help"), 0),
        (("help", "prune"), 0),
        (("du", "--nope"), 1),
        (("build", "--no-cache=maybe"), 1),
        (("prune", "--keep-duration", "5"), 1),
    ],
)
def test_help_and_bad_flags_of_a_command_load_nothing_heavy(arguments: tuple[str, ...], status: int) -> None:
    ended, names = loaded_by(*arguments)
    assert ended == status
    assert names.isdisjoint(HEAVY)


# What other commands, addresses and daemons need, and each is milliseconds.
UNASKED = [
    "buildctl._pb.gateway_pb2",
    "buildctl.model.history",
    "buildctl.model.solve",
    "buildctl.model.status",
    "buildctl.session",
    "buildctl.template",
    "buildctl.transport.diagnose",
    "buildctl.transport.engine",
    "buildctl.transport.relay",
    "concurrent.futures.thread",
    "dataclasses",
    "http",
    "ipaddress",
    "json",
    "pathlib",
    "rich",
    "secrets",
    "tempfile",
    "urllib",
]


BUILD = [
    "--progress=plain",
    "--shared-key=k",
    "--frontend=dockerfile.v0",
    "--local=context=docs",
    "--local=dockerfile=docs",
]

# What accounts, layouts, outputs and other displays need; a build that only sends a context has none of them.
UNASKED_BY_BUILDS = [
    "buildctl._pb.auth_pb2",
    "buildctl._pb.content_pb2",
    "buildctl.cli.metrics",
    "buildctl.client.stores",
    "buildctl.fsutil.receive",
    "buildctl.oci",
    "buildctl.progress.terminal",
    "buildctl.session.auth.service",
    "buildctl.session.content",
    "buildctl.session.filesend",
    "buildctl.template",
    "buildctl.transport.diagnose",
    "buildctl.transport.engine",
    "concurrent.futures.thread",
    "hmac",
    "http",
    "humanize",
    "ipaddress",
    "pathlib",
    "random",
    "rich",
    "secrets",
    "shutil",
    "sqlite3",
    "tempfile",
    "urllib",
]


@pytest.mark.parametrize(
    ("recorded", "arguments", "unasked", "said"),
    [
        ("v0.8-du-verbose", ["du"], UNASKED, "Total:"),
        ("build-cached", ["build", *BUILD], UNASKED_BY_BUILDS, "CACHED"),
    ],
)
def test_a_call_loads_what_it_needs(
    tmp_path: Path, recorded: str, arguments: list[str], unasked: list[str], said: str
) -> None:
    with serve(ReplayServer(load(recorded).calls, 0), tmp_path / "s"):
        script = LOADED.replace(str(HEAVY + LIGHT), str(unasked))
        ran = subprocess.run(
            [sys.executable, "-c", script, "--addr", f"unix://{tmp_path}/s", *arguments],
            cwd=ROOT,
            env=WITHOUT_COVERAGE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            text=True,
        )
    assert said in ran.stdout
    assert ran.stdout.splitlines()[-1] == "0"


def test_the_library_s_front_door_loads_nothing_heavy() -> None:
    script = (
        "import sys, buildctl; print([n for n in ('grpc', 'rich', 'google.protobuf') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True)
    assert ran.stdout == "[]\n"
