"""The HTTP/2 fuzzer: shortly in every run, at length in `make test-long`; it prints the seed of a find."""

import pytest

from tests.fuzz.http2 import main


def test_shortly() -> None:
    main(2, seed=1)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_at_length() -> None:
    main(120)
