"""Metadata values as the daemon encodes them."""

from __future__ import annotations

import pytest

from buildctl.session.metadata import value, values

PLAIN = (("followpaths", "a+b.txt"), ("dir-name", "context"), ("followpaths", "%41"))


def test_values_in_order() -> None:
    assert values(PLAIN, "followpaths") == ["a+b.txt", "%41"]
    assert values(PLAIN, "include-patterns") == []
    assert value(PLAIN, "dir-name") == "context"
    assert value(PLAIN, "none", "default") == "default"


@pytest.mark.parametrize("flag", ["1", "t", "true", "TRUE"])
def test_encoded_values(flag: str) -> None:
    metadata = (("followpaths", "%C3%A9+a%2Bb.txt"), ("followpaths", "plain"), ("followpaths-encoded", flag))
    assert values(metadata, "followpaths") == ["é a+b.txt", "plain"]


@pytest.mark.parametrize("flag", ["0", "false", "", "yes"])
def test_a_flag_that_is_not_true(flag: str) -> None:
    assert values((("a", "%41+"), ("a-encoded", flag)), "a") == ["%41+"]


def test_the_flag_of_another_key() -> None:
    assert values((("a", "%41"), ("b-encoded", "1")), "a") == ["%41"]


def test_names_that_are_no_utf8() -> None:
    assert values((("a", "%FF"), ("a-encoded", "1")), "a") == ["\udcff"]
