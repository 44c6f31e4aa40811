"""Pages of buildctl in a real browser."""
