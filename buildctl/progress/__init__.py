"""A Status stream made visible."""
