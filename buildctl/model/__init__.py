"""The nouns: frozen dataclasses that every floor above may use. No I/O, no protobuf."""
