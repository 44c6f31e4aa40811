"""The program where /proc is not mounted, as in some jails: every command works on a real BuildKit."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import COMMAND, environment

pytestmark = pytest.mark.daemon

BUILD = "build --progress=plain --frontend dockerfile.v0 --local context=c --local dockerfile=c"
COMMANDS = (
    "--version",
    "du",
    "prune --keep-duration 9999d",
    "debug workers",
    "context ls c",
    f"{BUILD} --output type=local,dest=local",
    f"{BUILD} --output type=tar,dest=tar",
    f"{BUILD} --output type=oci,dest=oci",
    f"{BUILD} --output type=oci,tar=false,dest=layout",
    f"{BUILD} --export-cache type=local,dest=cache --metadata-file metadata --ref-file ref --timings timings",
    f"{BUILD} --context-check=content --on-unreadable=skip --secret id=s,src=c/f",
)


def test_every_command(engine_26: Engine, tmp_path: Path) -> None:
    context = tmp_path / "c"
    (context / "sub").mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (context / "f").write_text("f")
    os.setxattr(context / "f", "user.one", b"1")
    (context / "l").symlink_to("f")
    os.mkfifo(context / "p")
    program = shlex.join([*COMMAND, "--addr", f"docker://{engine_26.socket}"])
    script = "umount -l /proc\n" + "".join(
        f"{program} {one} >>said || echo failed: {one}\n" for one in COMMANDS
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=tmp_path,
        env={**environment(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "", done.stderr
    assert sorted(path.name for path in (tmp_path / "local").iterdir()) == [
        "Dockerfile",
        "f",
        "l",
        "p",
        "sub",
    ]
    assert os.getxattr(tmp_path / "local" / "f", "user.one") == b"1"
    assert all((tmp_path / made).exists() for made in ("tar", "oci", "layout", "cache", "metadata", "ref"))
