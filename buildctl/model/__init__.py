"""The nouns: immutable values that every floor above may use. No I/O, no protobuf."""
