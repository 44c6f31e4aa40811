"""Make the virtual environment: the project, editable, with extras and development tools; nothing elsewhere.

    python3 .ci/bootstrap.py .venv

The versions are those of constraints.txt; where these cannot be had, what pyproject.toml allows (as with a
second argument, `unlocked`). `make lock` writes the file anew. pip-audit is installed if that is quick.

Debian's and Ubuntu's python3 comes without pip and without the module that would bring it (both are packages
of their own); pip is then taken from the distribution's wheel, downloaded and unpacked into the cache folder.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
LOCK = PROJECT / ".ci" / "constraints.txt"
_AUDIT_SECONDS = 40.0
sys.path.insert(0, str(PROJECT))

from tests.support.debian import UnavailableError, machine_suite, unpacked  # noqa: E402


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # this very check is what tells the user
        sys.exit(f"Python 3.11 or newer is needed, and {sys.executable} is {sys.version.split()[0]}.")
    folder = Path(sys.argv[1])
    has_pip = find_spec("ensurepip") is not None
    venv.create(folder, clear=True, symlinks=True, with_pip=has_pip)
    python = folder.resolve() / "bin" / "python"
    pip = python.parent / "pip"
    # Debian 12's pip knows no dependency groups: pip 25.1 was the first that does.
    _install(python, pip if has_pip else _distribution_wheel() / "pip", "--upgrade", "pip>=25.1")
    _install_project(python, pip, locked="unlocked" not in sys.argv[2:])


def _install_project(python: Path, pip: Path, *, locked: bool) -> None:
    project = ("--editable", ".[otel]", "--group", "dev")
    # Compiling a package would take longer than all tests.
    lock = ("--constraint", str(LOCK), "--only-binary", ":all:")
    if locked:
        try:
            _install(python, pip, *lock, *project)
        except subprocess.CalledProcessError:
            print("Not all versions of constraints.txt can be had; taking others that pyproject.toml allows.")
            locked = False
    if not locked:  # a virtual environment may begin with an old setuptools, which some package needs too
        _install(python, pip, "--upgrade", "--upgrade-strategy", "eager", *project)
    try:
        _install(python, pip, *(lock if locked else ()), "--group", "audit", timeout=_AUDIT_SECONDS)
    except subprocess.SubprocessError:
        print("pip-audit cannot be had quickly, so `make check` goes without it.")


def _install(python: Path, pip: Path, *wanted: str, timeout: float | None = None) -> None:
    quietly = ("install", "--quiet", "--disable-pip-version-check")
    subprocess.run([python, pip, *quietly, *wanted], cwd=PROJECT, check=True, timeout=timeout)


def _distribution_wheel() -> Path:
    tree = unpacked("pip", {machine_suite(): ("python3-pip-whl",)})
    return next(tree.glob("usr/share/python-wheels/pip-*.whl"))


if __name__ == "__main__":
    try:
        main()
    except UnavailableError as missing:
        sys.exit(f"The virtual environment cannot be made: {missing}")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"The virtual environment cannot be made: pip ended with {failed.returncode}.")
