"""Shared keys: what tells two of them apart, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.session.sharedkey import shared_key


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("one", "two", "ä b"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("one")
    return tmp_path


def test_the_same_directories_have_one_key(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = shared_key("me", {"context": str(folders / "one"), "docs": str(folders / "ä b")})
    assert len(key) == 64
    assert int(key, 16)
    assert shared_key("me", {"docs": str(folders / "ä b"), "context": f"{folders}/two/../link/."}) == key
    monkeypatch.chdir(folders)
    assert shared_key("me", {"context": "one", "docs": "ä b"}) == key


def test_others_have_another(folders: Path) -> None:
    one, two = str(folders / "one"), str(folders / "two")
    keys = [
        shared_key("me", {"context": one}),
        shared_key("you", {"context": one}),
        shared_key("me", {"context": two}),
        shared_key("me", {"src": one}),
        shared_key("me", {"context": one, "src": two}),
        shared_key("me", {"context": two, "src": one}),
        shared_key("me", {"dockerfile": one}),
    ]
    assert len(set(keys)) == len(keys)


def test_many_dockerfiles_share_one_context(folders: Path) -> None:
    one, two = str(folders / "one"), str(folders / "two")
    keys = {shared_key("me", {"context": one, "dockerfile": path}) for path in (one, two)}
    assert keys == {shared_key("me", {"context": one})}
    assert shared_key("me", {"dockerfile": one}) != shared_key("me", {"dockerfile": two})


def test_no_directories_have_none() -> None:
    assert shared_key("me", {}) == ""
