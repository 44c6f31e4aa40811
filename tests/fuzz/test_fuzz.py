"""Every harness: shortly in every run, at length by `make fuzz`, one in `make test-long` too."""

from __future__ import annotations

import pytest

from tests.fuzz import http2
from tests.fuzz.driver import run
from tests.fuzz.harnesses import HARNESSES


@pytest.mark.parametrize("name", HARNESSES)
def test_shortly(name: str) -> None:
    assert run(HARNESSES[name], 0.5, seed=1).outcomes > 1


@pytest.mark.long
@pytest.mark.timeout(240)
def test_http2_at_length() -> None:
    run(http2.HARNESS, 120)
