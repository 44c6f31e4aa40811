"""Reference pages and man pages, generated from the commands."""
