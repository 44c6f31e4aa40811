"""A build context with this Python, this package and what it imports, for an image that runs a frontend."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import grpc

import buildctl
from buildctl import Context, File, Symlink

_NEEDED = ("grpc", "google", "hpack", "typing_extensions.py")
_LEFT_OUT = {
    "test",
    "tests",
    "__pycache__",
    "site-packages",
    "idlelib",
    "ensurepip",
    "tkinter",
    "lib2to3",
    "pydoc_data",
}
_UNUSED = re.compile(r"/config-3|/_test|/_tkinter|/_ctypes_test|/_curses|/readline|/_g?dbm|/_sqlite3")


def context(program: Path) -> Context:
    """The context of an image whose entrypoint is `program`; all but that is where it is on this machine."""
    interpreter = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}").resolve()
    standard = Path(sysconfig.get_path("stdlib"))
    site = Path(grpc.__file__).parents[1]
    packages = [Path(buildctl.__file__).parent, *(site / name for name in _NEEDED)]
    tree: dict[str, str | bytes | File | Symlink] = {}
    for folder in (standard, *packages):
        for path in [folder] if folder.is_file() else folder.rglob("*"):
            if not path.is_file() or _UNUSED.search(str(path)):
                continue
            if not _LEFT_OUT & set(path.relative_to(folder.parent).parts):
                place = path if folder == standard else Path("/app") / path.relative_to(folder.parent)
                tree[str(place).lstrip("/")] = path.read_bytes()
    for path in (interpreter, *map(Path, _libraries(interpreter))):
        tree[str(path).lstrip("/")] = File(path.resolve().read_bytes(), mode=0o755)
    libraries = [*standard.glob("lib-dynload/*.so"), *site.glob("grpc/_cython/*.so")]
    for needed in _libraries(*(path for path in libraries if not _UNUSED.search(str(path)))):
        if needed.lstrip("/") not in tree:
            tree.setdefault(needed.lstrip("/"), File(Path(needed).resolve().read_bytes(), mode=0o755))
    tree["frontend.py"] = program.read_bytes()
    tree["Dockerfile"] = (
        "FROM scratch\nCOPY . /\nENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 TMPDIR=/ \n"
        f'ENTRYPOINT ["{interpreter}", "/frontend.py"]\n'
    )
    return Context.files(tree)


def _libraries(*programs: Path) -> list[str]:
    """The shared libraries that programs are loaded with, by where the loader looks for them."""
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(?:=> )?(/\S+) \(0x", said)
