"""Go's text/template: the language of `--format`, over Python values that carry their Go types.

A room of its own, for there is no well-kept library: those that exist wrap a compiled Go library, or are at
their first version and know nothing of Go's types, on which `%T`, `eq` and every error text depend. The
language is that of Go 1.26, but for complex numbers, channels, functions as values, and nesting beyond a
hundred levels.

    parse(text) -> Template                 what is wrong with the text: UsageError, in Go's words
    Template.execute(value) -> its output   what does not suit the value: UsageError, after what came before

Sources: Go's documentation of text/template, fmt, strconv, reflect and time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buildctl.template.execute import Template as Template
    from buildctl.template.execute import parse as parse

__all__ = ("Template", "parse")


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load the language on first use: few commands are given a template."""
        if name in __all__:
            from buildctl.template import execute

            return getattr(execute, name)
        raise AttributeError(f"module 'buildctl.template' has no attribute {name!r}")
