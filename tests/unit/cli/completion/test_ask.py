"""What of a daemon's answers reaches a shell's completion."""

from __future__ import annotations

import pytest

from buildctl.cli.completion.ask import well_formed


@pytest.mark.parametrize(
    "answer",
    ["$(touch x)", "`x`", "a b", "a;b", "a\nb", "-rf", "", "~x", "*", "a'b", "a\x1b[2J", "\u00e9", "a" * 129],
)
def test_what_is_no_word_is_not_passed_on(answer: str) -> None:
    assert well_formed(["pwxhhv1x2y9r", answer, "l4nh.pf-nz_ql9o"]) == ["pwxhhv1x2y9r", "l4nh.pf-nz_ql9o"]


def test_nobody_looks_through_more_than_a_thousand() -> None:
    assert len(well_formed(f"ref{number}" for number in range(5000))) == 1000
