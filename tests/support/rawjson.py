"""Output of `--progress=rawjson` without what no two runs have in common: when it was."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any


def without_shift(text: bytes) -> list[Any]:
    """The objects, with instants as nanoseconds since the first of them."""
    origin: int | None = None

    def walk(value: Any) -> Any:
        nonlocal origin
        if isinstance(value, dict):
            for key in ("started", "completed", "timestamp"):
                if key in value:
                    instant = _nanoseconds(value[key])
                    origin = instant if origin is None else origin
                    value[key] = instant - origin
            return {key: walk(content) for key, content in value.items()}
        return [walk(content) for content in value] if isinstance(value, list) else value

    return [walk(json.loads(line)) for line in text.splitlines()]


def without_times(text: bytes) -> bytes:
    """The bytes, with every instant as `T`."""
    return re.sub(rb'"20[^"]*Z"', b"T", text)


def _nanoseconds(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0"))
