"""Platforms mean what containerd takes them for."""

from __future__ import annotations

import platform

import pytest

from buildctl import Platform, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("Linux/x86_64", Platform("linux", "amd64")),
        ("linux/arm64/v8", Platform("linux", "arm64", "v8")),
        ("linux/arm64", Platform("linux", "arm64")),
        ("linux/arm", Platform("linux", "arm")),
        ("linux/arm/7", Platform("linux", "arm", "v7")),
        ("armhf", Platform("linux", "arm")),
        ("armel", Platform("linux", "arm", "v6")),
        ("macos/arm64", Platform("darwin", "arm64")),
        ("riscv64", Platform("linux", "riscv64")),
        ("windows(10.0.17763+win32k)/amd64", Platform("windows", "amd64", "", "10.0.17763", ("win32k",))),
    ],
)
def test_texts(text: str, expected: Platform) -> None:
    assert Platform.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a/b/c/d", "linux/", "*", "linux/am d64", "nonsense", "linux(%zz)/amd64"]
)
def test_what_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Platform.parse(text)


def test_normal_forms() -> None:
    given = Platform("", "AArch64", "v8", "", ("b", "a", "b"))
    assert given.normalized() == Platform("linux", "arm64", "", "", ("a", "b"))
    assert Platform("linux", "arm").normalized() == Platform("linux", "arm", "v7")
    assert str(Platform("linux", "arm", "v7")) == "linux/arm/v7"


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("x86_64", Platform("linux", "amd64")),
        ("AMD64", Platform("linux", "amd64")),
        ("arm64", Platform("linux", "arm64")),
        ("armv6l", Platform("linux", "arm", "v6")),
        ("i686", Platform("linux", "386")),
        ("loongarch64", Platform("linux", "loong64")),
    ],
)
def test_the_default_is_linux_on_this_cpu(
    machine: str, expected: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert Platform.default() == expected
