"""Flags on how local directories are sent, and what becomes of them in a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.cli.app import App
from buildctl.cli.build import read_opt
from buildctl.cli.build_flags import BuildFlags
from buildctl.cli.environment import Environment
from buildctl.cli.flags.contexts import parse_context_check, parse_on_unreadable
from buildctl.client.request import check
from buildctl.errors import UsageError
from buildctl.model.solve import SolveOpt


def flags(folder: Path, **given: str) -> BuildFlags:
    absent = {name: "" if kind == "str" else () for name, kind in BuildFlags.__annotations__.items()}
    common = {"frontend": "dockerfile.v0", "local_dirs": (f"context={folder}",), "no_cache": False}
    defaults = {"context_check": "metadata", "on_unreadable": "error", "proxy_network": False}
    return BuildFlags(**{**absent, **common, **defaults, **given})  # type: ignore[arg-type]


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "home").mkdir()
    return App(Environment({"HOME": str(tmp_path / "home")}))


def test_by_default_metadata_counts_and_nothing_is_excused(app: App, tmp_path: Path) -> None:
    opt = read_opt(app, flags(tmp_path)).opt
    assert (opt.content_records, opt.on_unreadable) == ("", "error")
    assert len(opt.shared_key) == 64
    assert read_opt(app, flags(tmp_path)).opt.shared_key == opt.shared_key


def test_what_is_asked_for(app: App, tmp_path: Path) -> None:
    given = {"context_check": "content", "on_unreadable": "skip", "shared_key": "team"}
    opt = read_opt(app, flags(tmp_path, **given)).opt
    assert opt.content_records == str(tmp_path / "home/.cache/buildctl/contexts")
    assert (opt.on_unreadable, opt.shared_key) == ("skip", "team")


def test_the_cache_folder(tmp_path: Path) -> None:
    def records(**variables: str) -> str:
        opt = read_opt(App(Environment(variables)), flags(tmp_path, context_check="content")).opt
        return opt.content_records

    assert records(HOME="/h", XDG_CACHE_HOME="/c") == "/c/buildctl/contexts"
    assert records(HOME="/tmp", XDG_CACHE_HOME="c") == "/tmp/.cache/buildctl/contexts"
    with pytest.raises(UsageError, match="no place for digests"):
        records()


def test_no_folders_need_no_key(tmp_path: Path) -> None:
    app = App(Environment({"HOME": str(tmp_path)}))
    assert read_opt(app, BuildFlags(**{**vars(flags(tmp_path)), "local_dirs": ()})).opt.shared_key == ""
    assert list(tmp_path.iterdir()) == []


def test_unknown_words() -> None:
    with pytest.raises(UsageError, match='invalid --on-unreadable "Skip"'):
        parse_on_unreadable("Skip")
    with pytest.raises(UsageError, match='invalid --context-check ""'):
        parse_context_check("")


@pytest.mark.parametrize("key", ["a\nb", "ä", "x" * 1025, "\x7f"])
def test_keys_that_cannot_be_sent(key: str) -> None:
    with pytest.raises(UsageError, match="invalid shared key"):
        check(SolveOpt("f", shared_key=key))


def test_a_way_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match='invalid way "nope"'):
        check(SolveOpt("f", on_unreadable="nope"))  # type: ignore[arg-type]
