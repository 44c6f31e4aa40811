"""A disk that is full at each file that the client writes: how the build ends, what it says, what is left.

`BUILDCTL_RECORD=1` writes the table into docs/reliability.md.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.record import record
from tests.support.engines import Engine
from tests.support.mounts import small_tmpfs
from tests.support.program import run

pytestmark = [
    pytest.mark.daemon,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root"),
]

FULL = "no space left on device"

# What is written; the flags, or variables, with DISK for the full disk; the exit status; what is said.
CASES = [
    ("`type=tar`", "-o type=tar,dest=DISK/f", 1, f"failed to solve: failed to write DISK/f: {FULL}"),
    ("`type=oci`", "-o type=oci,dest=DISK/f", 1, f"failed to solve: failed to write DISK/f: {FULL}"),
    ("`type=docker`", "-o type=docker,dest=DISK/f", 1, f"failed to solve: failed to write DISK/f: {FULL}"),
    (
        "a file of `type=local`",
        "-o type=local,dest=DISK/old",
        1,
        f"failed to solve: failed to write DISK/old/big: {FULL}",
    ),
    ("a blob of a layout", "-o type=oci,tar=false,dest=DISK/old", 1, FULL),
    ("a blob of a cache", "--export-cache type=local,dest=DISK/old -o type=tar,dest=t", 1, FULL),
    (
        "a device",
        "-o type=tar,dest=/dev/full",
        1,
        f"failed to solve: failed to write /dev/full: {FULL}",
    ),
    (
        "`--metadata-file`",
        "-o type=oci,dest=t --metadata-file DISK/f",
        1,
        f"failed to write DISK/f: {FULL}",
    ),
    ("`--ref-file`", "--ref-file DISK/f", 1, f"failed to write DISK/f: {FULL}"),
    ("`--timings`", "--timings DISK/f", 1, f"failed to write DISK/f: {FULL}"),
    ("`--timeline`", "--timeline DISK/f.html", 1, f"failed to write DISK/f.html: {FULL}"),
    ("`--trace`", "--trace DISK/f", 1, f"write DISK/f: {FULL}"),
    ("`--session-log`", "--session-log DISK/f", 1, f"write DISK/f: {FULL}"),
    ("`--events`", "--events DISK/f", 0, f"events are missing: write DISK/f: {FULL}"),
    ("`--log-dir`", "--log-dir DISK/old", 0, f"events are missing: write DISK/old/*/events.jsonl: {FULL}"),
    ("`--debug-json-cache-metrics`", "--debug-json-cache-metrics DISK/f", 1, f"write DISK/f: {FULL}"),
    ("a job's summary", "GITHUB_STEP_SUMMARY=DISK/f --progress github", 0, f"no summary in DISK/f: {FULL}"),
    ("what was sent, the client's id (`XDG_STATE_HOME`)", "XDG_STATE_HOME=DISK/old", 0, ""),
    ("digests of contents (`XDG_CACHE_HOME`)", "XDG_CACHE_HOME=DISK/old --context-check content", 0, ""),
    ("temporary files (`TMPDIR`)", "TMPDIR=DISK/old -o type=tar,dest=linked", 0, ""),
]
ROWS: dict[str, str] = {}


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    if os.environ.get("BUILDCTL_RECORD") == "1" and len(ROWS) == len(CASES):
        head = "| written | exit | says | left on the disk |\n| --- | ---: | --- | --- |\n"
        record("full-disk", head + "".join(ROWS[name] for name, *_ in CASES))


LONG = ("`type=oci`", "`type=docker`", "a blob of a cache", "a device", "`--timeline`", "`--session-log`")
"""What is written as others are."""


@pytest.mark.parametrize(
    ("name", "line", "status", "said"),
    [pytest.param(*case, id=case[0], marks=[pytest.mark.long] * (case[0] in LONG)) for case in CASES],
)
def test_a_full_disk(engine_26: Engine, tmp_path: Path, name: str, line: str, status: int, said: str) -> None:
    context = tmp_path / "ctx"
    context.mkdir()
    (context / "big").write_bytes(b"0123456789abcdef" * 1000 + os.urandom(100_000))
    (context / "Dockerfile").write_text("FROM scratch\nCOPY big /\n")
    (tmp_path / "linked").touch()
    (tmp_path / "linked2").hardlink_to(tmp_path / "linked")
    with small_tmpfs(tmp_path / "disk", 256 << 10) as disk:
        (disk / "old").mkdir()
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        words = line.replace("DISK", str(disk)).split()
        variables = dict(word.split("=", 1) for word in words if word.split("=")[0].isupper())
        flags = [word for word in words if not word.split("=")[0].isupper()]
        flags += [
            "--frontend",
            "dockerfile.v0",
            "--local",
            f"context={context}",
            "--local",
            f"dockerfile={context}",
        ]
        address = f"docker://{engine_26.socket}"
        ran = run("--addr", address, "build", "--progress=plain", *flags, cwd=tmp_path, variables=variables)
        left = [path for path in disk.rglob("*") if path.name != "filler" and not path.is_dir()]
        says = [text for text in ran.stderr.splitlines() if FULL in text] if said else []
        assert ran.exit == status, ran.stderr
        assert "Traceback" not in ran.stderr
        shown = says[-1].replace(str(disk), "DISK") if says else ""
        first, _, rest = said.partition("*")
        assert first in shown
        assert rest in shown
        assert not [path for path in left if ".tmp" in path.name]
        kept = sorted({_plain(f"`{path.relative_to(disk)}` ({path.stat().st_size} bytes)") for path in left})
    shown = _plain(shown.partition('msg="')[2].rstrip('"') or shown.removeprefix("error: "))
    ROWS[name] = f"| {name} | {ran.exit} | {shown} | {', '.join(kept) or 'nothing'} |\n"


def _plain(text: str) -> str:
    """Without what is another at each run."""
    return re.sub("[0-9a-f]{32,64}|20[0-9TZ-]{17,}-[0-9a-z]{8}", "*", text)
