"""Every harness: shortly in every run, at length in `make fuzz`."""

from __future__ import annotations

import pytest

from tests.fuzz.driver import run
from tests.fuzz.harnesses import HARNESSES


@pytest.mark.parametrize("name", HARNESSES)
def test_shortly(name: str) -> None:
    assert run(HARNESSES[name], 0.5, seed=1).outcomes > 1
