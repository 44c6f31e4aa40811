"""The real BuildKits of the daemon tests: Docker Engine 20.10, 26.1 and 28.5, started once a test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.packages import Release


def _started(release: Release) -> Iterator[Engine]:
    try:
        engine = Engine(release)
    except UnavailableError as missing:
        pytest.skip(str(missing))
    with engine:
        yield engine


@pytest.fixture(scope="session")
def engine_20() -> Iterator[Engine]:
    """Docker Engine 20.10 with BuildKit 0.8."""
    yield from _started(packages.ENGINE_20)


@pytest.fixture(scope="session")
def engine_26() -> Iterator[Engine]:
    """Docker Engine 26.1 with BuildKit 0.13 and containerd's image store."""
    yield from _started(packages.ENGINE_26)


@pytest.fixture(scope="session")
def engine_28() -> Iterator[Engine]:
    """Docker Engine 28.5 with BuildKit 0.25, for what older ones cannot do; starting it takes seconds."""
    yield from _started(packages.ENGINE_28)


@pytest.fixture(scope="module")
def own_engine() -> Iterator[Engine]:
    """One with BuildKit 0.13 whose cache nobody but the module's tests fills or prunes."""
    yield from _started(packages.ENGINE_26)


@pytest.fixture(scope="session", params=["engine_20", "engine_26"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    found: Engine = request.getfixturevalue(request.param)
    return found
