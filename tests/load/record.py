"""The last results of long runs, kept in docs/reliability.md between a pair of marks for each kind of run."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def record(kind: str, text: str, page: Path = PAGE) -> None:
    """Put the text between the marks of its kind. Raises `ValueError` where the page has none."""
    content = page.read_text()
    begin, end = f"<!-- begin {kind} -->\n", f"<!-- end {kind} -->"
    before, found, rest = content.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page.name} has no marks for {kind}")
    page.write_text(f"{before}{begin}{text.rstrip()}\n{end}{after}")
