"""Ids have BuildKit's form."""

from __future__ import annotations

import re

from buildctl.model.identity import new_id


def test_ids_are_25_random_letters_and_digits() -> None:
    ids = {new_id() for _ in range(2_000)}
    assert len(ids) == 2_000
    assert all(re.fullmatch("[0-9a-z]{25}", one) for one in ids)
    for place in range(25):
        assert len({one[place] for one in ids}) == 36
