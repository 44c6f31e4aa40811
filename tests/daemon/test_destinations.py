"""Destinations as scripts write them: what the shell has open there, and what is said before the first step.

Each case is a script of bash, in which `build` is the program with a context whose result holds `out.txt`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.mounts import small_tmpfs
from tests.support.program import COMMAND, environment, run, start

pytestmark = pytest.mark.daemon

WRITTEN = {
    "a pipe of the shell": "build -o type=tar,dest=/dev/stdout | tar t",
    "the pipe by its number": "build -o type=oci,dest=/dev/fd/1 | tar t | grep -x oci-layout && echo out.txt",
    "a link to it": "ln -s /dev/stdout l && build -o type=tar,dest=l | tar t && test -L l",
    "process substitution": (
        "build -o type=tar,dest=>(tar t >list; touch read); until [ -e read ]; do sleep 0.05; done; cat list"
    ),
    "a named pipe": "mkfifo p; tar t <p >list & build -o type=tar,dest=p && wait && test -p p && cat list",
    "a descriptor that is open to read and write": (
        "exec 5<>f; build -o type=tar,dest=/dev/fd/5 && ls && tar tf f"
    ),
    "what was longer": (
        "head -c 100000 /dev/zero >f; exec 5<>f; build -o type=tar,dest=/proc/self/fd/5 && tar tf f"
    ),
    "behind what is there": "echo log >f; build -o type=tar,dest=/dev/stdout >>f && tail -c +5 f | tar t",
    "standard error": "build -o type=tar,dest=/dev/stderr 2>f && tar tf f",
    "a file of the shell's own process": "exec 5>f; build -o type=tar,dest=/proc/$BASHPID/fd/5 && tar tf f",
    "without leave to overwrite": "set -C; build -o type=tar >f && tar tf f",
    "a link to a file": (
        "mkdir d; echo >d/f; ln -s d/f l; build -o type=tar,dest=l && test -L l && tar tf d/f"
    ),
    "a file of several names": "echo >a; ln a b; build -o type=tar,dest=a && test a -ef b && tar tf b",
    "a private file": "umask 022; echo >f; chmod 600 f; build -o type=tar,dest=f && stat -c %a f && tar tf f",
    "a new file": "umask 027; build -o type=tar,dest=f && stat -c %a f && tar tf f",
    "metadata on a device": (
        "build -o type=oci,dest=o.tar --metadata-file /dev/null && test -c /dev/null && echo out.txt"
    ),
    "metadata in a pipe": (
        "build -o type=oci,dest=o.tar --metadata-file >(grep -q digest && echo out.txt); sleep 0.2"
    ),
    "two texts in a pipe": (
        "build -o type=oci,dest=o.tar --metadata-file /dev/stdout --ref-file /dev/stdout | grep -q "
        "digest && echo out.txt"
    ),
    "metadata in what is built": "build -o type=local,dest=d --metadata-file d/m --timings d/t && ls d",
    "a folder by an empty path": "cd ctx && build --local context= --local dockerfile= -o type=tar | tar t",
}

REFUSED = {
    "mkdir d; ln -s no/f l; build -o type=tar,dest=l": "open l -> no/f: no such file or directory",
    "ln -s no l; build -o type=tar,dest=l/f": "open l -> no: no such file or directory",
    "ln -s no l; build -o type=local,dest=l": "mkdir l -> no: no such file or directory",
    "build -o type=tar,dest=/dev/fd/7": "open /dev/fd/7: bad file descriptor",
    "build -o type=tar -o type=oci >f": "--output type=tar and --output type=oci would be written",
    "build -o type=tar -o type=oci,dest=/dev/fd/1 | cat": (
        "--output type=tar and --output type=oci would be written"
    ),
    "build -o type=tar,dest=/dev/stdout --events - | cat": "--output type=tar and --events would be written",
    "echo >a; ln a b; build -o type=tar,dest=a --metadata-file b": (
        "--output type=tar and --metadata-file would"
    ),
    "echo >a; ln -s a b; build -o type=tar,dest=a --trace b": (
        "--output type=tar and --trace would be written"
    ),
    "exec 5>f; build -o type=tar,dest=f -o type=oci,dest=/dev/fd/5": (
        "--output type=tar and --output type=oci would"
    ),
}


@pytest.fixture
def work(engine_26: Engine, tmp_path: Path) -> Path:
    (tmp_path / "work/ctx").mkdir(parents=True)
    (tmp_path / "work/ctx/Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /out.txt\n")
    (tmp_path / "home").mkdir()
    return tmp_path / "work"


def bash(engine: Engine, work: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `build` is known; its errors are apart from what the display says."""
    flags = [
        "--addr",
        f"docker://{engine.socket}",
        "build",
        "--progress=quiet",
        "--frontend",
        "dockerfile.v0",
    ]
    program = shlex.join([*COMMAND, *flags])
    where = "--local context=ctx --local dockerfile=ctx"
    case = f'case "$*" in *context=*) {program} "$@";; *) {program} {where} "$@";; esac'
    define = f"set -o pipefail; build() {{ {case}; }}\n"
    return subprocess.run(
        ["bash", "-c", define + script],
        cwd=work,
        env=environment(work.parent / "home"),
        capture_output=True,
        text=True,
        timeout=50,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("name", WRITTEN)
def test_what_scripts_have_there(engine_26: Engine, work: Path, name: str) -> None:
    ran = bash(engine_26, work, WRITTEN[name])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "out.txt" in ran.stdout.split()
    assert not [entry for entry in work.rglob("*") if ".tmp" in entry.name or "deleted" in entry.name]
    modes = {"a private file": "600", "a new file": "640"}
    assert modes.get(name, "out.txt") in ran.stdout.split()


@pytest.mark.parametrize("script", REFUSED)
def test_what_cannot_be_written_is_said_first(engine_26: Engine, work: Path, script: str) -> None:
    ran = bash(engine_26, work, script.replace("build ", "build --progress=plain ", 1))
    assert ran.returncode == 1
    assert REFUSED[script] in ran.stderr
    assert "#1" not in ran.stderr


def test_a_reader_that_leaves_early_is_an_error(engine_26: Engine, work: Path) -> None:
    (work / "ctx/big").write_bytes(os.urandom(1 << 20))
    (work / "ctx/Dockerfile").write_text("FROM scratch\nCOPY big /\n")
    for destination, name in (("-", "to standard output"), ("/dev/stdout", "/dev/stdout"), ("p", "p")):
        reader = "mkfifo p; (exec 3<p; head -c 10 <&3 >/dev/null) & " if destination == "p" else ""
        ran = bash(engine_26, work, f"{reader}build -o type=tar,dest={destination} | head -c 10 >/dev/null")
        assert ran.returncode == 1
        assert ran.stderr == f"error: failed to solve: failed to write {name}: broken pipe\n"
        (work / "p").unlink(missing_ok=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="gives up root's rights")
def test_a_file_in_a_folder_that_is_not_writable(engine_26: Engine, work: Path) -> None:
    (work / "out").mkdir()
    (work / "out/f.tar").touch()
    os.chown(work / "out", 65534, 65534)
    drop = "setpriv --bounding-set=-all --inh-caps=-all"
    ran = bash(engine_26, work, f'{drop} bash -c "$(declare -f build); build -o type=tar,dest=out/f.tar"')
    assert (ran.returncode, ran.stderr) == (0, "")
    with tarfile.open(work / "out/f.tar") as found:
        assert found.getnames() == ["out.txt"]
    refused = bash(engine_26, work, f'{drop} bash -c "$(declare -f build); build -o type=tar,dest=out/new"')
    assert refused.stderr == "error: invalid output option: output: open out/new: permission denied\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_another_disk_and_what_a_full_one_leaves(engine_26: Engine, work: Path) -> None:
    with small_tmpfs(work / "disk", 1 << 20) as disk:
        (work / "link").symlink_to("disk/f")
        (disk / "f").write_text("old")
        os.link(disk / "f", disk / "second")
        assert bash(engine_26, work, "build -o type=tar,dest=link").returncode == 0
        whole = (disk / "second").read_bytes()
        (disk / "filler").write_bytes(bytes((1 << 20) - 16384))
        (work / "ctx/big").write_bytes(os.urandom(1 << 20))
        (work / "ctx/Dockerfile").write_text("FROM scratch\nCOPY big /\n")
        ran = bash(engine_26, work, "build -o type=tar,dest=link")
        assert ran.stderr == "error: failed to solve: failed to write link: no space left on device\n"
        assert (disk / "f").read_bytes() == whole
        assert sorted(os.listdir(disk)) == ["f", "filler", "second"]


@pytest.mark.parametrize("output", ["type=local,dest=out", "type=tar,dest=out/t.tar"])
def test_a_killed_export_leaves_nothing_to_the_next(engine_26: Engine, work: Path, output: str) -> None:
    (work / "ctx/big").write_bytes(os.urandom(64 << 20))
    (work / "ctx/Dockerfile").write_text("FROM scratch\nCOPY big /a/b/\n")
    (work / "out").mkdir()
    build = ["--addr", f"docker://{engine_26.socket}", "build", "--frontend", "dockerfile.v0", "-o", output]
    build += ["--local", "context=ctx", "--local", "dockerfile=ctx"]
    process = start(*build, cwd=work)
    deadline = time.monotonic() + 40
    while not any(path.stat().st_size for path in work.glob("out/**/.tmp.*") if path.is_file()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(work.glob("out/**/.tmp.*"))
    (work / "ctx/big").write_bytes(b"small")
    assert run(*build, cwd=work).exit == 0
    left = sorted(str(path.relative_to(work / "out")) for path in (work / "out").rglob("*"))
    assert left == (["a", "a/b", "a/b/big"] if "local" in output else ["t.tar"])


PREDICTED = """
import sys, tempfile
tempfile._name_sequence = iter(["planted", "planted", *map(str, range(100))])  # as if it could be guessed
from buildctl.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_links_planted_in_the_temporary_folder_are_not_followed(engine_26: Engine, work: Path) -> None:
    temporary, victim = work / "tmp", work / "victim"
    temporary.mkdir()
    victim.mkdir()
    for name in ("buildctl-planted", "tmpplanted"):
        (temporary / name).symlink_to(victim)
    (work / "f").write_text("old")
    os.link(work / "f", work / "second")  # so that the bytes are kept elsewhere first
    flags = ["--addr", f"docker://{engine_26.socket}", "build", "--frontend", "dockerfile.v0"]
    flags += ["--local", "context=ctx", "--local", "dockerfile=ctx", "-o", "type=tar,dest=f"]
    ran = subprocess.run(
        [sys.executable, "-c", PREDICTED, *flags],
        cwd=work,
        env=environment(work.parent / "home", {"TMPDIR": str(temporary)}),
        capture_output=True,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stderr
    assert tarfile.is_tarfile(work / "second")
    assert os.listdir(victim) == []
    assert sorted(os.listdir(temporary)) == ["buildctl-planted", "tmpplanted"]
