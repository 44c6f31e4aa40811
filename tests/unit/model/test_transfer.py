"""What a transfer did, in one line."""

from __future__ import annotations

from buildctl.model.transfer import Transfer, format_transfer

SOME = Transfer("context", 50_000, 1_001, 51_000, 20, 20, 1_200_000, began=12.5, took=0.6)


def test_a_line() -> None:
    expected = "context: 50,000 files walked, 20 requested, 20 sent, 1.20MB in 0.6s (2.00MB/s)"
    assert format_transfer(SOME) == expected


def test_nothing_sent_has_no_rate() -> None:
    nothing = SOME._replace(files_walked=1, files_requested=0, files_sent=0, bytes_sent=0, took=0.04)
    assert format_transfer(nothing) == "context: 1 file walked, 0 requested, 0 sent, 0B in 0.0s"


def test_no_time_has_no_rate() -> None:
    assert format_transfer(SOME._replace(took=0.0)).endswith("1.20MB in 0.0s")


def test_one_that_failed() -> None:
    failed = SOME._replace(files_sent=3, bytes_sent=600, complete=False)
    assert format_transfer(failed).endswith("3 sent, 600B in 0.6s (1.00kB/s), not complete")
