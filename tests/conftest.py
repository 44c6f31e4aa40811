"""For every test: what must be set before grpc is imported, and programs that a small system may lack."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, settings

from tests.support import packages
from tests.support.debian import UnavailableError

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # its fork handlers complain of tests that fork
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

with suppress(UnavailableError):  # then the tests that need a key say so
    packages.put_openssh_on_path(os.environ)

# nohup(1), and shells for what is in the background, have signals ignored; programs that tests start would
# ignore them too, but for handlers, which nobody inherits.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)

# Time says nothing on a busy machine: pytest's own limit ends what hangs.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """Undo what a command that runs in the process of the tests leaves behind.

    That is the umask, how soon threads take turns, and the log, whose descriptor is closed and its number
    another test's.
    """
    logger = logging.getLogger("buildctl")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    umask = os.umask(0o022)
    os.umask(umask)
    turn = sys.getswitchinterval()
    yield
    sys.setswitchinterval(turn)
    os.umask(umask)
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
