"""Debian packages, downloaded with apt and unpacked into a cache folder; nothing is installed.

apt runs on a configuration of its own, with its lists and archives in the cache folder, so any suite can be
read and the system's own package state is never touched. Signatures are checked as always. Standard library
only: the virtual environment is bootstrapped with this module too (`.ci/bootstrap.py`).
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

MIRROR_VARIABLE = "BUILDCTL_DEBIAN_MIRROR"


class UnavailableError(Exception):
    """What is missing on this machine, and what would help."""


def cache_folder() -> Path:
    """Where all that is downloaded for tests and the demo is kept."""
    chosen = os.environ.get("BUILDCTL_TEST_CACHE")
    folder = Path(chosen) if chosen else Path.home() / ".cache" / "buildctl-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def machine_suite() -> str:
    """The code name of the release this machine runs: `bookworm`, `noble`."""
    return _os_release().get("VERSION_CODENAME", "")


def reaches_debian() -> bool:
    """Whether packages of any Debian suite can be had; those of the machine's own suite always can."""
    return _os_release().get("ID") == "debian" or bool(os.environ.get(MIRROR_VARIABLE))


def unpacked(name: str, packages: Mapping[str, Sequence[str]]) -> Path:
    """The cache's folder `name`: the file trees of packages, listed by suite, laid over each other.

    It is made on first use and appears under its name only when it is whole. Downloads outlive a failure.
    """
    cache = cache_folder()
    folder = cache / name
    if folder.is_dir():
        return folder
    with _locked(cache / f"{name}.lock"):
        if folder.is_dir():  # another process was quicker
            return folder
        with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=cache) as scratch:
            archives = [path for suite, names in packages.items() for path in _download(suite, names)]
            tree = Path(scratch, "tree")
            for archive in archives:
                _run(["dpkg-deb", "--extract", archive, tree], f"cannot unpack {archive.name}")
            tree.rename(folder)
        for archive in archives:
            archive.unlink()
    return folder


def dependencies(suite: str, packages: Sequence[str]) -> tuple[str, ...]:
    """The packages and all that they depend on, as for a machine on which nothing is installed yet."""
    home = cache_folder() / "apt" / suite
    listed = home / f"needed-by-{'-'.join(packages)}"
    if not listed.exists():
        with _apt(suite) as (apt, _):
            install = [*apt, "--simulate", "install", "--no-install-recommends", *packages]
            told = _run(install, f"cannot resolve {' '.join(packages)} of {suite}")
        names = [line.split()[1] for line in told.splitlines() if line.startswith("Inst ")]
        listed.write_text("\n".join(names))
    return tuple(listed.read_text().split())


def _download(suite: str, packages: Sequence[str]) -> list[Path]:
    """Download packages of one suite; those already there and whole are kept."""
    with _apt(suite) as (apt, archives):
        _run(
            [*apt, "download", *packages], f"cannot download {' '.join(packages)} of {suite}", folder=archives
        )
    return [_newest(archives, package) for package in packages]


@contextmanager
def _apt(suite: str) -> Iterator[tuple[list[str | Path], Path]]:
    """apt-get on the private configuration with fresh lists, and the folder for its archives."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UnavailableError(
            "apt-get and dpkg-deb are needed to download test engines; this machine is no Debian or Ubuntu"
        )
    home = cache_folder() / "apt" / suite
    archives = home / "archives"
    for folder in (home / "lists" / "partial", home / "cache" / "archives" / "partial", archives):
        folder.mkdir(parents=True, exist_ok=True)
    source = _source(suite)
    with _locked(home / "busy"):
        configuration, fresh = home / "apt.conf", home / "fresh"
        configuration.write_text(_CONFIGURATION.format(home=home))
        (home / "apt.sources").write_text(source)
        apt: list[str | Path] = ["apt-get", "--quiet=2", "--config-file", configuration]
        if not fresh.exists() or time.time() - fresh.stat().st_mtime > 3600:
            _run([*apt, "update", "--error-on=any"], f"cannot read the package lists of {suite}")
            fresh.touch()
        yield apt, archives


# Hooks of the system's own configuration would act on the system; its proxy and credentials stay in force.
# Downloads run as the caller, for the cache folder is the caller's; the sandbox user could not write there.
_CONFIGURATION = """\
#clear APT::Update;
#clear DPkg;
APT::Default-Release "";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{home}";
Dir::State::lists "{home}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{home}/cache";
Dir::Etc::sourcelist "{home}/apt.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
"""


def _source(suite: str) -> str:
    """The one source entry of the private configuration."""
    own = suite == machine_suite()
    distribution = _os_release().get("ID", "") if own else "debian"
    components = "main universe" if distribution == "ubuntu" else "main"
    # Only the package index: apt-file and desktop tools ask for more by way of the system's configuration.
    return (
        f"Types: deb\nURIs: {mirror(suite)}\nSuites: {suite}\nComponents: {components}\n"
        f"Targets: Packages\nSigned-By: {_keyring(distribution)}\n"
    )


def _keyring(distribution: str) -> Path:
    """The distribution's signing keys; those of another one come from a package of this machine's own."""
    name = f"{distribution}-archive-keyring"
    paths = [Path("usr/share/keyrings", name).with_suffix(suffix) for suffix in (".pgp", ".gpg")]
    root = Path("/")
    if distribution != _os_release().get("ID") and not any((root / path).exists() for path in paths):
        root = unpacked(name, {machine_suite(): (name,)})
    for path in paths:
        if (root / path).exists():
            return root / path
    raise UnavailableError(f"packages of {distribution} cannot be verified: {root / paths[-1]} is missing")


def mirror(suite: str) -> str:
    """The mirror this machine itself uses, whichever of apt's formats and files names it."""
    own = machine_suite()
    is_debian = _os_release().get("ID") == "debian"
    if (chosen := os.environ.get(MIRROR_VARIABLE)) and (is_debian or suite != own):
        return chosen
    if suite != own and not reaches_debian():
        raise UnavailableError(
            f"no Debian mirror is known on this machine; set {MIRROR_VARIABLE} to the URL of one"
        )
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    no_trace = ["--option", "Dir::Cache::pkgcache=", "--option", "Dir::Cache::srcpkgcache="]
    listed = _run(
        ["apt-get", *no_trace, "indextargets", "--no-release-info", "--format", form, "Created-By: Packages"],
        "cannot read apt's sources",
    )
    releases = {own, "stable", "oldstable", "testing", "unstable", "sid"}
    entries = [line.split() for line in listed.splitlines()]
    mirrors = [uri for uri, release, component in entries if release in releases and component == "main"]
    # Other vendors' repositories use Debian's suite and component names too; the path tells them apart.
    mirrors.sort(key=lambda uri: not uri.rstrip("/").endswith(("/debian", "/ubuntu")))
    if not mirrors:
        raise UnavailableError(
            f"apt's sources on this machine name no {own} main; set {MIRROR_VARIABLE} to a Debian mirror"
        )
    return mirrors[0]


def _newest(archives: Path, package: str) -> Path:
    found = sorted(archives.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UnavailableError(f"apt reported success but left no archive of {package} in {archives}")
    return found[-1]


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _run(argv: Sequence[str | Path], failure: str, *, folder: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if not line.startswith("W:")]
        raise UnavailableError(
            f"{failure}: {' '.join(said[-3:]) or f'{argv[0]} ended with {done.returncode}'}"
        )
    return done.stdout


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released with the file, also when the process dies
        yield
