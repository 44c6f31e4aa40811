"""For every test: what must be set before grpc is imported, and programs that a small system may lack."""

import os
from contextlib import suppress

from hypothesis import HealthCheck, settings

from tests.support import packages
from tests.support.debian import UnavailableError

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # its fork handlers complain of tests that fork
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

with suppress(UnavailableError):  # then the tests that need a key say so
    packages.put_openssh_on_path(os.environ)

# Time says nothing on a busy machine: pytest's own limit ends what hangs.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
