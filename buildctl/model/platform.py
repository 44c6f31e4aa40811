"""Platforms as containerd reads, normalizes and writes them, so that `linux/arm64` means the same here.

Source: github.com/containerd/platforms, platforms.go and database.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from buildctl.errors import UsageError
from buildctl.model.quote import quote

_OS = r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?"
_COMPONENT = r"[A-Za-z0-9_.-]+"

_KNOWN_OS = (
    "aix|android|darwin|dragonfly|freebsd|hurd|illumos|ios|js|linux|nacl|netbsd|openbsd|plan9|solaris|"
    "windows|zos"
)
_KNOWN_ARCHITECTURES = (
    "386|amd64|amd64p32|arm|armbe|arm64|arm64be|ppc64|ppc64le|loong64|mips|mipsle|mips64|mips64le|mips64p32|"
    "mips64p32le|ppc|riscv|riscv64|s390|s390x|sparc|sparc64|wasm"
)
_MACHINES = {
    "armv5l": ("arm", "v5"),
    "armv5tel": ("arm", "v5"),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv8l": ("arm", "v7"),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "loongarch64": ("loong64", ""),
}
"""What uname calls a CPU, where normalizing does not know the name."""
_ARM64_VARIANTS = {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"}
_ARM_VARIANTS = {"": "v7", "7": "v7", "5": "v5", "6": "v6", "8": "v8"}


@dataclass(frozen=True, slots=True)
class Platform:
    """What is built for, or what a worker can build for; the names are Go's, such as `linux` and `arm64`."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Platform:
        """`OS`, `ARCHITECTURE`, `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.

        The OS may be followed by `(VERSION+FEATURE+…)`. Names are normalized, as `x86_64` to `amd64`; what is
        left out is Linux and this machine's CPU. Raises `UsageError`.

            Platform.parse("linux/arm64")
        """
        parts = text.split("/")
        matched = re.fullmatch(_OS, parts[0])
        if matched is None or len(parts) > 3:
            raise _invalid(text)
        if any(not re.fullmatch(_COMPONENT, part) for part in parts[1:]):
            raise _invalid(text)
        os, version, features = matched[1], _decoded(matched[2] or "", text), matched[3] or ""
        named = _normalized_os(os)
        decoded = tuple(filter(None, (_decoded(feature, text) for feature in features[1:].split("+"))))
        if len(parts) == 1:
            if re.fullmatch(_KNOWN_OS, named):
                here = Platform.default()
                variant = here.variant if here.variant != "v7" else ""
                return cls(named, here.architecture, variant, version, decoded)
            architecture, variant = _normalized_architecture(parts[0], "")
            if not re.fullmatch(_KNOWN_ARCHITECTURES, architecture):
                raise UsageError(f"{quote(text)}: unknown operating system or architecture")
            return cls("linux", architecture, _without_v7(architecture, variant), version, decoded)
        architecture, variant = _normalized_architecture(parts[1], parts[2] if len(parts) == 3 else "")
        if len(parts) == 2:
            variant = _without_v7(architecture, variant)
        elif architecture == "arm64" and not variant:
            variant = "v8"
        return cls(named, architecture, variant, version, decoded)

    @classmethod
    def default(cls) -> Platform:
        """Linux on this machine's CPU, normalized: what containers on it run.

        Platform.default()
        """
        import platform

        machine = platform.machine().lower()
        return cls("linux", *_MACHINES.get(machine, (machine, ""))).normalized()

    def normalized(self) -> Platform:
        """With one name for each thing: `x86_64` is `amd64`, arm without variant `v7`; features sorted.

        Platform("linux", "x86_64").normalized()
        """
        architecture, variant = _normalized_architecture(self.architecture, self.variant)
        features = tuple(sorted(set(self.os_features), key=str.encode))
        return Platform(_normalized_os(self.os), architecture, variant, self.os_version, features)

    def __str__(self) -> str:
        """The platform as `parse` reads it, without OS version and features."""
        return "/".join(filter(None, (self.os, self.architecture, self.variant))) if self.os else "unknown"


def _normalized_os(name: str) -> str:
    name = name.lower() or "linux"
    return "darwin" if name == "macos" else name


def _normalized_architecture(name: str, variant: str) -> tuple[str, str]:
    name, variant = name.lower(), variant.lower()
    match name:
        case "i386":
            return "386", ""
        case "x86_64" | "x86-64" | "amd64":
            return "amd64", "" if variant == "v1" else variant
        case "aarch64" | "arm64":
            return "arm64", _ARM64_VARIANTS.get(variant, variant)
        case "armhf":
            return "arm", "v7"
        case "armel":
            return "arm", "v6"
        case "arm":
            return "arm", _ARM_VARIANTS.get(variant, variant)
    return name, variant


def _without_v7(architecture: str, variant: str) -> str:
    return "" if architecture == "arm" and variant == "v7" else variant


def _decoded(option: str, text: str) -> str:
    if "%" not in option:
        return option
    from urllib.parse import unquote

    if re.search("%(?![0-9A-Fa-f]{2})", option):
        raise _invalid(text)
    return unquote(option)


def _invalid(text: str) -> UsageError:
    return UsageError(f"{quote(text)} is not a platform", hint="write OS/ARCHITECTURE, such as linux/arm64")
