"""What is set for the caller's own Python programs, or lies in the working folder, is not for this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import click
import pytest

import buildctl

ROOT = Path(__file__).parents[3]
VERSION = f"buildctl buildctl-python v{buildctl.__version__} \n"
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTHON"))}
"""The variables without any of Python's, and without what would load modules before the program does."""

SCRIPT = (sys.executable, str(ROOT / "bin" / "buildctl"))
MODULE = (sys.executable, "-m", "buildctl")


def run(*command: str, cwd: Path, **variables: str) -> tuple[int, str, str]:
    ran = subprocess.run(
        command, cwd=cwd, env={**PLAIN, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return ran.returncode, ran.stdout, ran.stderr


def put_modules(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / f"{name}.py").write_text(f"raise RuntimeError('this is not the {name} that was meant')\n")
    return folder


STANDARD = ("logging", "typing", "enum", "re", "threading", "asyncio", "gc", "atexit", "signal")
INSTALLED = ("click", "grpc", "google", "rich", "humanize")


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
@pytest.mark.parametrize(
    "arguments", [("--version",), ("context", "ls", "."), ("--addr=unix:///nowhere", "du")]
)
def test_modules_of_the_project_that_is_built_are_not_taken(
    tmp_path: Path, command: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    """The working folder, and what PYTHONPATH names."""
    (tmp_path / "empty").mkdir()
    expected = run(*SCRIPT, *arguments, cwd=tmp_path / "empty")
    assert "this is not" not in expected[2]
    put_modules(tmp_path, *STANDARD, *INSTALLED)
    (tmp_path / "work").mkdir()
    put_modules(tmp_path / "work", *STANDARD, *INSTALLED)
    arguments = tuple("../empty" if argument == "." else argument for argument in arguments)
    assert run(*command, *arguments, cwd=tmp_path / "work") == expected
    assert run(*command, *arguments, cwd=tmp_path / "empty", PYTHONPATH=str(tmp_path)) == expected


def test_the_script_needs_nothing_of_a_path_that_python_itself_would_stumble_over(tmp_path: Path) -> None:
    put_modules(
        tmp_path, "types", "contextlib", "functools", "warnings", "importlib", "__future__", "buildctl"
    )
    assert run(*SCRIPT, "--version", cwd=tmp_path, PYTHONPATH=str(tmp_path)) == (0, VERSION, "")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PYTHONHOME", sys.base_prefix),
        ("PYTHONOPTIMIZE", "2"),
        ("PYTHONWARNINGS", "error"),
        ("PYTHONDEVMODE", "1"),
        ("PYTHONASYNCIODEBUG", "1"),
        ("PYTHONINSPECT", "1"),
        ("PYTHONSTARTUP", "/nowhere"),
        ("PYTHONSAFEPATH", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONNOUSERSITE", "1"),
        ("PYTHONUTF8", "0"),
    ],
)
def test_a_variable_of_python_changes_nothing(tmp_path: Path, variable: str, value: str) -> None:
    arguments = ("context", "--help")  # its text is a docstring
    expected = run(*SCRIPT, *arguments, cwd=tmp_path)
    assert "Look at what a build sends" in expected[1]
    assert run(*SCRIPT, *arguments, cwd=tmp_path, **{variable: value}) == expected
    assert run(*MODULE, *arguments, cwd=tmp_path, **{variable: value}) == expected


def test_what_the_program_starts_has_the_caller_s_variables(tmp_path: Path) -> None:
    helper = tmp_path / "docker"
    helper.write_text('#!/bin/sh\necho "PYTHONPATH=$PYTHONPATH PYTHONWARNINGS=$PYTHONWARNINGS" >> said\n')
    helper.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{PLAIN['PATH']}", "PYTHONPATH": "mine", "PYTHONWARNINGS": "default"}
    for command in (SCRIPT, MODULE):
        run(*command, "--addr=docker-container://c", "du", cwd=tmp_path, **variables)
    assert set((tmp_path / "said").read_text().splitlines()) == {"PYTHONPATH=mine PYTHONWARNINGS=default"}
    assert len((tmp_path / "said").read_text().splitlines()) >= 2


def test_no_bytecode_is_written_where_none_is_wanted(tmp_path: Path) -> None:
    installed = tmp_path / "lib"
    shutil.copytree(ROOT / "buildctl", installed / "buildctl", ignore=shutil.ignore_patterns("__pycache__"))
    variables = {"PYTHONPATH": f"{tmp_path}:{installed}", "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(*MODULE, "--version", cwd=tmp_path, **variables) == (0, VERSION, "")
    assert not list(installed.rglob("*.pyc"))


@pytest.mark.parametrize("layout", [".", "lib/python{}.{}/site-packages"], ids=["--target", "--prefix"])
def test_where_only_pythonpath_knows_the_installation_it_is_found(tmp_path: Path, layout: str) -> None:
    """By a Python that knows neither the package nor what it needs."""
    packages = tmp_path / "app" / layout.format(*sys.version_info[:2])
    packages.mkdir(parents=True)
    for package in (buildctl, click):
        found = Path(str(package.__file__)).parent
        (packages / found.name).symlink_to(found)
    (tmp_path / "app" / "bin").mkdir()
    script = str(shutil.copy(ROOT / "bin" / "buildctl", tmp_path / "app" / "bin"))
    put_modules(tmp_path, "logging")
    bare = str(Path(sys.base_prefix, "bin", "python3"))
    for path in (str(packages), f"{tmp_path}:{packages}", ""):
        assert run(bare, script, "--version", cwd=tmp_path, PYTHONPATH=path) == (0, VERSION, "")


def test_a_zip_file_of_the_program_runs_alike(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "buildctl", source / "buildctl", ignore=shutil.ignore_patterns("__pycache__"))
    zipapp.create_archive(source, tmp_path / "buildctl.pyz", main="buildctl.__main__:entry")
    put_modules(tmp_path, *STANDARD, *INSTALLED)
    program = (sys.executable, str(tmp_path / "buildctl.pyz"))
    for variables in ({}, {"PYTHONPATH": str(tmp_path)}):
        assert run(*program, "--version", cwd=tmp_path, **variables) == (0, VERSION, "")


def test_what_a_bundle_has_told_python_of_is_found_again(tmp_path: Path) -> None:
    """As by pex, whose bootstrap puts each distribution on the path by itself."""
    for package in (buildctl, click):
        folder = tmp_path / "app" / package.__name__
        folder.mkdir(parents=True)
        (folder / package.__name__).symlink_to(Path(str(package.__file__)).parent)
    bootstrap = tmp_path / "bootstrap"
    folders = [str(tmp_path / "app" / package.__name__) for package in (click, buildctl)]
    bootstrap.write_text(
        f"import sys; sys.path[:0] = {folders}; from buildctl.__main__ import entry; entry()"
    )
    put_modules(tmp_path, *STANDARD, "click")
    bare = str(Path(sys.base_prefix, "bin", "python3"))
    for path in ("", str(tmp_path), f"{tmp_path}:{folders[1]}"):
        assert run(bare, "-P", str(bootstrap), "--version", cwd=tmp_path, PYTHONPATH=path) == (0, VERSION, "")
