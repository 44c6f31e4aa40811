"""An address becomes a gRPC channel: every way to a daemon, and why a way is closed."""
