"""For every test: what must be set before grpc is imported."""

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # its fork handlers complain of tests that fork
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
