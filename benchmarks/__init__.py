"""Measures this client against Debian's docker-buildx on the same engine: `make bench`."""
