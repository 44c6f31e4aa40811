"""Programs that are never run: they use the public names, and type checkers look at them."""
