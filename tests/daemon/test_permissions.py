"""What a build makes for itself is this user's alone, even where the umask keeps nobody out."""

from __future__ import annotations

import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import COMMAND, environment
from tests.support.ssh import new_key

pytestmark = pytest.mark.daemon

SECRET = "the-value-of-the-secret"
FILES = ("trace", "session-log", "events", "timings", "debug-json-cache-metrics")


@pytest.fixture
def folder(engine_26: Engine) -> Iterator[Path]:
    """A user's home and context, and a folder for sockets, whose path has to be short."""
    with tempfile.TemporaryDirectory(prefix="mine-", dir="/tmp") as made:
        for name in ("context", "logs", "tmp"):
            (Path(made) / name).mkdir(mode=0o755)
        shutil.copy(engine_26.busybox, Path(made, "context", "busybox"))
        yield Path(made)


def test_all_that_a_build_makes_is_private(engine_26: Engine, folder: Path) -> None:
    (folder / "token").write_text(SECRET)
    step = 'RUN --mount=type=ssh --mount=type=secret,id=token ["/busybox", "sleep", "1"]'
    (folder / "context" / "Dockerfile").write_text(f"FROM scratch\nCOPY busybox /\n{step}\n")
    given = set(folder.rglob("*")) | {new_key(folder), folder / "id.pub"}
    command = [
        *("sh", "-c", 'umask 0 && exec "$@"', "sh"),
        *(*COMMAND, "--addr", f"docker://{engine_26.socket}", "build", "--frontend", "dockerfile.v0"),
        *("--local", "context=context", "--local", "dockerfile=context", "--no-cache", "--progress", "plain"),
        *("--opt", "force-network-mode=none", "--secret", "id=token,src=token", "--ssh", "default=id"),
        *(f"--{name}={name}" for name in FILES),
        *("--log-dir", "logs", "--timeline", "timeline.html"),
    ]
    variables = environment(folder, {"TMPDIR": str(folder / "tmp")})
    process = subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        said = next((line for line in process.stderr if "] RUN " in line), "")
        meanwhile = modes(folder / "tmp")
        arguments = [path.read_bytes() for path in arguments_below(process.pid)]
        said += process.stderr.read()
    assert process.wait(50) == 0, said
    assert len(arguments) > 2  # the program, the agent, and what ends that
    assert not any(SECRET.encode() in one for one in arguments)
    assert {stat.S_IFMT(mode) for mode in meanwhile.values()} == {stat.S_IFDIR, stat.S_IFSOCK}
    assert_private(meanwhile)
    assert not modes(folder / "tmp")
    made = {path: mode for path, mode in modes(folder).items() if path not in given}
    assert {folder / name for name in (*FILES, "timeline.html", ".local")} < set(made)
    assert_private(made)
    assert not any(SECRET.encode() in path.read_bytes() for path in made if path.is_file())


def assert_private(modes: dict[Path, int]) -> None:
    allowed = {stat.S_IFDIR | 0o700, stat.S_IFSOCK | 0o600, stat.S_IFREG | 0o600}
    assert {path: oct(mode) for path, mode in modes.items() if mode not in allowed} == {}


def modes(folder: Path) -> dict[Path, int]:
    """Of all that is below the folder."""
    return {path: path.lstat().st_mode for path in folder.rglob("*")}


def arguments_below(pid: int) -> list[Path]:
    """Where the arguments of a process and of all that it started are to be read."""
    found = [Path(f"/proc/{pid}/cmdline")]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += arguments_below(int(child))
    return found
