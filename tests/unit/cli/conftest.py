"""What a command that runs in the process of the tests would leave behind."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """The umask, and the log: its descriptor is closed, and its number another test's."""
    logger = logging.getLogger("buildctl")
    before = logger.handlers, logger.level, logger.propagate
    umask = os.umask(0o022)
    os.umask(umask)
    yield
    os.umask(umask)
    logger.handlers, level, logger.propagate = before
    logger.setLevel(level)
