"""argv in, exit code out: the only floor that reads the environment, prints, and knows click."""
