"""The daemon's gateway: what a build asks between its start and its result."""
