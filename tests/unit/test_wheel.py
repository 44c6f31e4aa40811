"""The wheel as it is built: the package, and beside it what shells and man look for; nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_is_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    package = wheel.name.partition("-py3")[0]
    shared = f"{package}.data/data/share/"
    assert {
        "buildctl/py.typed",
        "buildctl/cli/completion/engine.bash",
        "buildctl/progress/timeline.html",
    } <= set(names)
    assert {name.removeprefix(shared) for name in names if name.startswith(shared)} == {
        "bash-completion/completions/buildctl",
        "fish/vendor_completions.d/buildctl.fish",
        "zsh/site-functions/_buildctl",
        *(f"man/man1/{path.name}" for path in (ROOT / "docs" / "man").iterdir()),
    }
    scripts = f"{package}.data/scripts/"
    assert {name.removeprefix(scripts) for name in names if name.startswith(scripts)} == {"buildctl"}
    assert (
        zipfile.ZipFile(wheel).read(f"{scripts}buildctl").startswith(b"#!python\n")
    )  # installers put theirs
    assert zipfile.ZipFile(wheel).getinfo(f"{scripts}buildctl").external_attr >> 16 & 0o111 == 0o111
    assert {name.partition("/")[0] for name in names} == {
        "buildctl",
        f"{package}.data",
        f"{package}.dist-info",
    }
    assert [name for name in names if "test" in name or "__pycache__" in name] == []
