"""Where test engines are downloaded from: the mirror that apt itself is told of, in either of its formats."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import debian

SUITE = debian.machine_suite()

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not installed")

ONE_LINE = f"deb [arch-=i386] http://mirror.test/debian {SUITE} main contrib\n"
DEB822 = f"Types: deb\nURIs: http://mirror.test/debian\nSuites: {SUITE} {SUITE}-updates\nComponents: main\n"
VENDORS = f"deb http://vendor.test/apt {SUITE} main\ndeb http://other.test/debian {SUITE} stable\n"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sources for apt in place of the system's."""
    configuration = tmp_path / "apt.conf"
    configuration.write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "{tmp_path}/parts";\n'
        f'Dir::State "{tmp_path}/state";\n'
    )
    (tmp_path / "parts").mkdir()
    monkeypatch.setenv("APT_CONFIG", str(configuration))
    monkeypatch.delenv(debian.MIRROR_VARIABLE, raising=False)
    return tmp_path


def test_one_line_format(etc: Path) -> None:
    (etc / "sources.list").write_text(ONE_LINE)
    assert debian.mirror(SUITE) == "http://mirror.test/debian/"


def test_deb822_format(etc: Path) -> None:
    (etc / "parts" / "debian.sources").write_text(DEB822)
    assert debian.mirror(SUITE) == "http://mirror.test/debian/"


def test_other_vendors_repositories_are_passed_over(etc: Path) -> None:
    (etc / "sources.list").write_text(VENDORS)
    (etc / "parts" / "debian.sources").write_text(DEB822)
    assert debian.mirror(SUITE) == "http://mirror.test/debian/"


def test_no_source_is_said(etc: Path) -> None:
    (etc / "sources.list").write_text("")
    with pytest.raises(debian.UnavailableError, match=f"name no {SUITE} main; set BUILDCTL_DEBIAN_MIRROR"):
        debian.mirror(SUITE)


def test_failed_download_says_which_and_leaves_no_folder(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (etc / "sources.list").write_text(ONE_LINE.replace("http://mirror.test/debian", f"file://{etc}/debian"))
    monkeypatch.setenv("BUILDCTL_TEST_CACHE", str(etc / "cache"))
    with pytest.raises(debian.UnavailableError, match=f"cannot read the package lists of {SUITE}: "):
        debian.unpacked("something", {SUITE: ("something",)})
    assert not (etc / "cache" / "something").exists()
