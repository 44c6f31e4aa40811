"""Text that goes into messages, which carry UTF-8 only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from buildctl.errors import UsageError
from buildctl.model.quote import quote


@contextlib.contextmanager
def valid_text() -> Iterator[None]:
    """Raise `UsageError` for text that no message can carry: of bytes that are not UTF-8."""
    try:
        yield
    except UnicodeEncodeError as error:
        text = quote(str(error.object))
        raise UsageError(f"{text} is not valid UTF-8", hint="the daemon takes UTF-8 only") from None
