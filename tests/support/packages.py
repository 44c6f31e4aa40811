"""What tests and the demo take from Debian: engines, a static busybox, the buildx client, shells, tmux."""

from __future__ import annotations

import os
import shutil
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.debian import UnavailableError, dependencies, machine_suite, reaches_debian, unpacked

# Beside the engine: its runtime, and the libraries that a small system may lack. Debian 13's runc needs a
# younger glibc than Debian 12 has; Debian 12's serves all engines on both systems.
_SUPPORT = ("runc", "libdevmapper1.02.1", "libseccomp2")


WRAPPED = "wrapped"
"""The folder of an unpacked tree whose scripts run its programs with its libraries."""


@dataclass(frozen=True, slots=True)
class Release:
    """One engine as Debian ships it, and what is true of it."""

    name: str
    buildkit: str
    packages: dict[str, tuple[str, ...]]
    config: dict[str, object] = field(default_factory=dict)


ENGINE_20 = Release("20.10", buildkit="0.8", packages={"bookworm": ("docker.io", "containerd", *_SUPPORT)})
ENGINE_26 = Release(
    "26.1",
    buildkit="0.13",
    packages={"trixie": ("docker.io", "containerd"), "bookworm": _SUPPORT},
    config={"features": {"containerd-snapshotter": True}},
)
ENGINE_28 = Release(
    "28.5",
    buildkit="0.25",
    packages={"sid": ("docker.io", "containerd"), "bookworm": _SUPPORT},
    config={"features": {"containerd-snapshotter": True}},
)
"""The newest, from Debian's development release, where it may be replaced by a newer one."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The unpacked programs of one engine, and how to find them."""

    tree: Path

    @property
    def path(self) -> str:
        """What belongs in front of PATH."""
        return ":".join(str(self.tree / folder) for folder in ("usr/sbin", "usr/bin"))

    @property
    def library_path(self) -> str:
        """What belongs in LD_LIBRARY_PATH."""
        return ":".join(
            str(folder) for top in ("lib", "usr/lib") for folder in sorted(self.tree.glob(f"{top}/*-linux-*"))
        )


def engine(release: Release) -> Programs:
    """dockerd, containerd and runc of one release."""
    return Programs(unpacked(f"engine-{release.name}", release.packages))


def any_engine() -> Programs:
    """The programs of an engine for a machine that has none: the newer, else its distribution's own."""
    if reaches_debian():
        return engine(ENGINE_26)
    return Programs(unpacked("engine-own", {machine_suite(): ("docker.io", "containerd", *_SUPPORT)}))


def busybox() -> Path:
    """A statically linked busybox."""
    tree = unpacked("busybox", {machine_suite(): ("busybox-static",)})
    return next(path for path in (tree / "usr/bin/busybox", tree / "bin/busybox") if path.exists())


def skopeo() -> Programs:
    """skopeo, which reads image layouts without any code of BuildKit's."""
    names = ("skopeo", "libgpgme11", "libassuan0", "libdevmapper1.02.1", "libgpg-error0")
    return Programs(unpacked("skopeo", {machine_suite(): names}))


def buildx() -> Path:
    """The buildx client, for measuring against it."""
    tree = unpacked("buildx", {"trixie": ("docker-buildx",)})
    return tree / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-buildx"


def shells() -> Programs:
    """bash's completions, zsh and fish."""
    names = ("bash-completion", "zsh", "zsh-common", "fish", "fish-common", "libpcre2-32-0")
    return Programs(unpacked("shells", {machine_suite(): names}))


def tmux() -> Programs:
    """A terminal without a screen; its libraries are named otherwise in every release."""
    suite = machine_suite()
    needed = ("tmux", "libevent-core", "libutempter")
    names = [name for name in dependencies(suite, ("tmux",)) if name.startswith(needed)]
    return Programs(unpacked("tmux", {suite: names}))


def mandoc() -> Path:
    """A renderer of man pages that also finds faults in them."""
    return unpacked("mandoc", {machine_suite(): ("mandoc",)}) / "usr" / "bin" / "mandoc"


def openssh() -> Programs:
    """OpenSSH's server and client, with the libraries that a small system may lack."""
    kerberos = ("libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libkeyutils1")
    names = ("openssh-server", "openssh-client", "libwrap0", "libcom-err2", "libcap-ng0", *kerberos)
    return Programs(unpacked("openssh", {machine_suite(): names}))


def put_openssh_on_path(variables: MutableMapping[str, str]) -> None:
    """Give a machine without OpenSSH's client the unpacked one, through scripts that know its libraries."""
    if shutil.which("ssh-keygen", path=variables.get("PATH")):
        return
    programs = openssh()
    folder = programs.tree / WRAPPED
    folder.mkdir(exist_ok=True)
    for name in ("ssh", "ssh-add", "ssh-agent", "ssh-keygen"):
        script = folder / name
        real = programs.tree / "usr" / "bin" / name
        temporary = folder / f".{name}.{os.getpid()}"  # several test processes may be doing this
        temporary.write_text(f'#!/bin/sh\nexport LD_LIBRARY_PATH={programs.library_path}\nexec {real} "$@"\n')
        temporary.chmod(0o755)
        temporary.rename(script)
    variables["PATH"] = f"{folder}:{variables.get('PATH', os.defpath)}"


def libfaketime() -> Path:
    """A library that gives a program another clock when it is loaded before all others."""
    tree = unpacked("libfaketime", {machine_suite(): ("libfaketime",)})
    return next(tree.glob("usr/lib/*/faketime/libfaketimeMT.so.1"))


def registry() -> Path:
    """A registry of images: docker-registry, which is the distribution project's."""
    return unpacked("registry", {machine_suite(): ("docker-registry",)}) / "usr" / "bin" / "docker-registry"


def main() -> None:
    """Fetch everything the tests use, so that none of them waits for a download."""
    for release in (ENGINE_20, ENGINE_26):
        print(f"Docker Engine {release.name}: {engine(release).tree}", flush=True)
    print(f"busybox: {busybox()}")
    print(f"shells: {shells().tree}")
    print(f"OpenSSH: {openssh().tree}")
    print(f"tmux: {tmux().tree}")
    print(f"mandoc: {mandoc()}")
    print(f"registry: {registry()}")
    print(f"libfaketime: {libfaketime()}")


if __name__ == "__main__":
    try:
        main()
    except UnavailableError as missing:
        print(f"Tests on real engines will be skipped: {missing}")
