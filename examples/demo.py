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

from buildctl.errors import BuildctlError
from buildctl.model.address import DEFAULT_ADDRESS
from buildctl.transport.discovery import choose_address
from tests.support import packages
from tests.support.debian import UnavailableError

HELLO = Path(__file__).parent / "hello"
BUILD = (
    "buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. "
    "--output type=local,dest=out "
    "--opt force-network-mode=none"  # no step needs a network, and some daemons have none to give
)


def main() -> int:
    scripts = Path(sys.executable).parent  # of the virtual environment
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ.get('PATH', os.defpath)}"}
    address = choose_address("", environment).address
    if address.text == DEFAULT_ADDRESS and not Path(address.path).exists():  # buildctl would find nothing
        if os.geteuid() != 0:
            print("make demo: there is no BuildKit to talk to, and starting one needs root.", file=sys.stderr)
            print("Run it as root, or start buildkitd or Docker, or set BUILDKIT_HOST.", file=sys.stderr)
            return 1
        engine = packages.any_engine()
        environment["PATH"] = f"{engine.path}:{environment['PATH']}"
        environment["LD_LIBRARY_PATH"] = engine.library_path
    shutil.copy(packages.busybox(), HELLO / "busybox")
    shutil.rmtree(HELLO / "out", ignore_errors=True)
    print(f"$ cd {HELLO.relative_to(Path.cwd())}\n$ {BUILD}", flush=True)
    status = subprocess.run(shlex.split(BUILD), cwd=HELLO, env=environment, check=False).returncode
    if status == 0:
        show(HELLO / "out")
    return status


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
    except (BuildctlError, UnavailableError) as error:
        sys.exit(f"make demo: {error}")
