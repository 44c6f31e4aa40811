"""Build `examples/hello` with buildctl and show what came back: `make demo`.

A daemon that is there is used. Where none is, `buildctl` starts one for the time of the build (`daemonless://`);
if the machine has none to start either, a Docker Engine is downloaded and unpacked into the cache folder.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import packages
from tests.support.debian import UnavailableError

HELLO = Path(__file__).parent / "hello"
BUILD = (
    "buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. "
    "--output type=local,dest=out"
)
SOCKETS = ("/run/buildkit/buildkitd.sock", "/var/run/docker.sock")


def main() -> int:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    }
    shutil.copy(packages.busybox(), HELLO / "busybox")
    shutil.rmtree(HELLO / "out", ignore_errors=True)
    command = BUILD
    if not daemon_is_there():
        if os.geteuid() != 0:
            print("make demo: there is no BuildKit to talk to, and starting one needs root.", file=sys.stderr)
            print("Run it as root, or set BUILDKIT_HOST, or start buildkitd or Docker.", file=sys.stderr)
            return 1
        command += (
            " --opt force-network-mode=none"  # the throwaway daemon has no network to give to RUN steps
        )
        if not (shutil.which("buildkitd") or shutil.which("dockerd")):
            engine = packages.engine(packages.ENGINE_26)
            environment["PATH"] = f"{engine.path}:{environment['PATH']}"
            environment["LD_LIBRARY_PATH"] = engine.library_path
    print(f"$ cd {HELLO.relative_to(Path.cwd())}\n$ {command}", flush=True)
    status = subprocess.run(shlex.split(command), cwd=HELLO, env=environment, check=False).returncode
    if status == 0:
        show(HELLO / "out")
    return status


def daemon_is_there() -> bool:
    """Whether buildctl will find a daemon, by the order it looks for one."""
    if os.environ.get("BUILDKIT_HOST"):
        return True
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"), "buildkit", "buildkitd.sock")
    return any(socket.is_socket() for socket in (*map(Path, SOCKETS), rootless))


def show(out: Path) -> None:
    """The exported files, and one of them in full."""
    print("\nout/")
    for path in sorted(out.rglob("*")):
        name = "  " * len(path.relative_to(out).parents) + path.name
        print(f"{name}/" if path.is_dir() else f"{name:24}{path.stat().st_size:7} bytes")
    letter = out / "letters" / "Earth.txt"
    print(f"\n{letter.relative_to(out.parent)}:\n\n{letter.read_text()}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UnavailableError as missing:
        sys.exit(f"make demo: {missing}")
