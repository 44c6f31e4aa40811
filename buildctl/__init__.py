"""buildctl for Python: a command line and a typed client library for BuildKit."""

__version__ = "0.1.0"
