"""Between protobuf messages and the model's values: the only package that knows both.

Each noun has a module of its own, so that a command loads the nouns it speaks of. Timestamps become
nanoseconds; one that is absent, or zero as early daemons send it, becomes None.
"""
