"""The pages: what is in docs/ is what is generated, and it is well-formed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from buildctl.cli.reference.generate import main, reference_files
from tests.support import packages
from tests.support.debian import UnavailableError

ROOT = Path(__file__).parents[4]
FILES = reference_files()


def test_committed_pages_are_the_generated_ones() -> None:
    committed = {
        str(path.relative_to(ROOT)): path.read_text()
        for folder in ("docs/reference", "docs/man")
        for path in (ROOT / folder).iterdir()
    }
    assert committed.keys() == FILES.keys(), "run make docs"
    assert [name for name in FILES if committed[name] != FILES[name]] == [], "run make docs"


def test_pages_of_commands_that_are_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "docs" / "man").mkdir(parents=True)
    (tmp_path / "docs" / "man" / "buildctl-gone.1").touch()
    main(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.glob("docs/*/*")} == FILES.keys()


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("docs/reference/")])
def test_links_lead_to_pages(name: str) -> None:
    links = re.findall(r"\]\((.*?)\)", FILES[name])
    assert [link for link in links if f"docs/reference/{link}" not in FILES] == []


@pytest.mark.parametrize("name", [name for name in FILES if "buildctl" in name])
def test_every_command_has_examples(name: str) -> None:
    assert re.search(r"^(## Examples|\.SH EXAMPLES)$", FILES[name], re.MULTILINE)


def test_build_knows_every_key_and_attribute() -> None:
    page = FILES["docs/reference/buildctl-build.md"]
    for word in ("target", "build-arg:", "attest:sbom", "platform-split", "oci-mediatypes", "touch_refresh"):
        assert f"| `{word}` |" in page


def test_a_flag_that_only_shares_its_name_has_none_of_them() -> None:
    page = FILES["docs/reference/buildctl-timeline.md"]
    assert "`-o, --output FILE`" in page
    assert "Attributes of" not in page
    assert "Types of" not in page


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("docs/man/")])
def test_mandoc_finds_nothing_to_say(name: str, tmp_path: Path) -> None:
    try:
        mandoc = packages.mandoc()
    except UnavailableError as missing:
        pytest.skip(str(missing))
    page = tmp_path / Path(name).name
    page.write_text(FILES[name])
    # A page without a date is the same tomorrow; mandoc would like one.
    ran = subprocess.run([mandoc, "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    said = [line for line in ran.stdout.splitlines() if "missing date" not in line]
    assert said == []
    shown = subprocess.run([mandoc, "-T", "utf8", page], capture_output=True, text=True, check=True).stdout
    assert "buildctl" in shown
