"""Generated messages; never edited, never exported. See proto/generate.py."""
