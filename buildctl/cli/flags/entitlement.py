"""`--allow`: privileges that the user grants a build. Source: util/entitlements/entitlements.go."""

from __future__ import annotations

from buildctl.cli.flags.csv import parse_fields
from buildctl.errors import UsageError
from buildctl.model.quote import quote

_PLAIN = frozenset(("network.host", "security.insecure"))
_DEVICE = "device"


def parse_entitlement(text: str) -> str:
    """The entitlement as the daemon reads it: the text itself. Raises `UsageError` for an unknown one."""
    name, _, device = text.partition("=")
    if name == _DEVICE:
        _check_device(device)
    elif text not in _PLAIN:
        raise UsageError(
            f"unknown entitlement {text}",
            hint="--allow takes network.host, security.insecure or device[=NAME]",
        )
    return text


def _check_device(text: str) -> None:
    for field in parse_fields(text)[1:] if text else []:
        key, equals, _ = field.partition("=")
        if not equals:
            raise UsageError(f"invalid device config {quote(field)}")
        if key != "alias":
            raise UsageError(f"unknown device config key {quote(key)}")
