"""Whole files are read with a limit, without waiting, and nowhere but here."""

from __future__ import annotations

import ast
import os
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from buildctl.system.smallfile import open_found, read_descriptor, read_found, read_named

PACKAGE = Path(__file__).parents[3] / "buildctl"


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"", b"x", bytes(3 << 20)):
        path.write_bytes(content)
        for read in (read_found, read_named):
            assert read(str(path), limit=len(content)) == content
    (tmp_path / "link").symlink_to("file")
    assert len(read_found(str(tmp_path / "link"), limit=4 << 20)) == 3 << 20
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert len(read_found("file", limit=4 << 20, folder=folder, links=False)) == 3 << 20
    finally:
        os.close(folder)


def test_files_of_the_system_that_say_they_are_empty() -> None:
    assert read_found("/proc/self/status", limit=1 << 20).startswith(b"Name:")


@pytest.mark.parametrize("read", [read_found, read_named])
def test_the_limit_is_named(tmp_path: Path, read: Callable[..., bytes]) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1001))
    with pytest.raises(OSError, match="it has more than 1000 bytes, the most that is read of it"):
        read(str(path), limit=1000)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="it has more than 1000 bytes"):
        read(str(path), limit=1000)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "zeros", "folder"])
def test_what_is_found_is_a_regular_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(path))
        case "device":
            path.symlink_to("/dev/tty")
        case "zeros":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
    began = time.monotonic()
    for read in (lambda: read_found(str(path), limit=10), lambda: open_found(str(path))):
        with pytest.raises(OSError, match="not a regular file|Is a directory|No such device or address"):
            read()
    assert time.monotonic() - began < 1


def test_a_link_is_followed_only_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(OSError, match="it is a symbolic link, which is not followed here"):
        read_found(str(tmp_path / "link"), limit=10, links=False)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        read_found(str(tmp_path / "loop"), limit=10)


def test_what_is_named_may_be_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        time.sleep(0.1)
        with path.open("wb", buffering=0) as pipe:
            for part in (b"in ", b"pieces"):
                pipe.write(part)
                time.sleep(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_named(str(path), limit=100) == b"in pieces"
    thread.join()
    with subprocess.Popen(["printf", "hello"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert read_named(f"/dev/fd/{process.stdout.fileno()}", limit=100) == b"hello"


def test_a_named_device_has_a_limit_too() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(OSError, match="it has more than 10000000 bytes"):
        read_named("/dev/zero", limit=10_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000


def test_a_descriptor_stays_open_and_may_be_one_that_does_not_block() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)

    def write() -> None:
        time.sleep(0.1)
        os.write(theirs, b"late")
        os.close(theirs)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_descriptor(ours, "standard input", limit=100) == b"late"
    thread.join()
    os.close(ours)


ALLOWED = {
    ("cli/saved_build.py", "open"): "read by lines that have a limit",
    ("cli/completion/generate.py", "read_text"): "a file of this package",
    ("client/dockeroptions.py", "open"): "an archive that the user names, read in pieces",
    ("client/failedstep.py", "read"): "the end of a log in memory, which has a limit",
    ("client/gateway/process.py", "read"): "a capture, which has a limit",
    ("client/recordfile.py", "read"): "a member of an archive whose size was looked at",
    ("progress/show.py", "fdopen"): "a pipe of its own, read in pieces",
    ("progress/timeline.py", "read_text"): "a file of this package",
    ("transport/tls.py", "load_cert_chain"): "what has been read is in the file",
    ("transport/daemonless.py", "open"): "is written",
    ("oci/store.py", "FileIO"): "what open_found has opened, read in pieces",
    ("fsutil/sentfiles.py", "open"): "a descriptor of a regular file, read in pieces",
}
"""The other places where files are opened to be read, and why they may."""


def test_nothing_is_read_past_this_module() -> None:
    """Whoever needs a whole file finds `read_found` and `read_named`: other ways have no limit, or wait."""
    found = {
        (str(path.relative_to(PACKAGE)), name)
        for path in PACKAGE.rglob("*.py")
        if "_pb" not in path.parts and path != PACKAGE / "system" / "smallfile.py"
        for name in readers(ast.parse(path.read_text()))
    }
    assert found == set(ALLOWED)


def readers(module: ast.Module) -> Iterator[str]:
    """The calls that open a file to be read, or read all that there is."""
    awaited = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Await)}
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or id(node) in awaited:
            continue
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        mode = next((ast.unparse(one.value) for one in node.keywords if one.arg == "mode"), "")
        mode = mode or (ast.unparse(node.args[1]) if len(node.args) > 1 else "'r'")
        has_path = bool(node.args) or any(one.arg in ("cafile", "capath") for one in node.keywords)
        match name:
            case "open" if called in ("open", "io.open"):
                yield name
            case "open" if called.startswith(("Path(", "path.")) and "w" not in mode and "a" not in mode:
                yield name
            case "fdopen" if "r" in mode and "open_found" not in ast.unparse(node):
                yield name
            case "read_bytes" | "read_text" | "FileIO" | "load_cert_chain" | "fromfile":
                yield name
            case "load_verify_locations" if has_path:
                yield name
            case "read" | "readlines" if "." in called and not node.args and not node.keywords:
                yield name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("open(path).read(5)", "open"),
        ("with open(path, 'rb') as file: pass", "open"),
        ("Path(a, b).read_bytes()", "read_bytes"),
        ("path.open()", "open"),
        ("os.fdopen(os.open(path, 0), 'rb')", "fdopen"),
        ("context.load_verify_locations(path)", "load_verify_locations"),
        ("context.load_verify_locations(cafile=path)", "load_verify_locations"),
        ("file.read()", "read"),
    ],
)
def test_the_rule_sees(code: str, name: str) -> None:
    assert name in list(readers(ast.parse(code)))
