"""Go's text/tabwriter: the examples of its documentation and what the reference prints through it."""

import pytest

from buildctl.cli.table import align_spaces, align_tabs


@pytest.mark.parametrize(
    ("text", "aligned"),
    [
        ("a\tb\n", "a\tb\n"),
        ("ID:\tx\nPlatforms:\ty\n", "ID:\t\tx\nPlatforms:\ty\n"),
        ("12345678\tx\n1\ty\n", "12345678\tx\n1\t\ty\n"),
        ("1234567\tx\n1\ty\n", "1234567\tx\n1\ty\n"),
        ("ID:\tx\n\nDescription:\ty\n", "ID:\tx\n\nDescription:\ty\n"),  # an empty line ends the column
        ("Labels:\n\ta:\t1\n\tlonger-key:\t2\n", "Labels:\n\ta:\t\t1\n\tlonger-key:\t2\n"),
        ("é\tx\n", "é\tx\n"),
        ("", ""),
    ],
)
def test_tabs(text: str, aligned: str) -> None:
    assert align_tabs(text) == aligned


@pytest.mark.parametrize(
    ("text", "aligned"),
    [
        ("a\tb\n", "a b\n"),
        ("BuildKit:\tx y \nDockerfile:\tz\n", "BuildKit:   x y \nDockerfile: z\n"),
        ("a\tb\tc\naa\tbb\tcc\naaa\nb\tc\n", "a  b  c\naa bb cc\naaa\nb c\n"),
    ],
)
def test_spaces(text: str, aligned: str) -> None:
    assert align_spaces(text) == aligned
