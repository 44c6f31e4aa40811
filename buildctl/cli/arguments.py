"""The command line as it may be told to others, in traces and stacks: without what is often secret."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HIDDEN = "***"
_BUILD_ARG = re.compile(r"(build-arg:[^=]*=).*", re.DOTALL)
_SECRET_KEY = re.compile(
    r"""((?:^|[=,;&?:"])[\w.-]*(?:secret|token|passw(?:or)?d|credential|access_key|account_key)[\w.-]*=)[^,"&]*""",
    re.IGNORECASE,
)
_USER = re.compile(r"(://)[^/@\s]+@")


def shown_arguments(arguments: Iterable[str]) -> list[str]:
    """The arguments, with values replaced by `***`.

    Those of build arguments, of attributes whose names say that they are secret, such as the
    `secret_access_key` of an S3 cache, and who logs in where, in URLs.
    """
    return [_shown(argument) for argument in arguments]


def _shown(argument: str) -> str:
    flag = ""
    if argument.startswith("-") and "=" in argument:
        flag, _, argument = argument.partition("=")
        flag += "="
    shown = _BUILD_ARG.sub(rf"\1{_HIDDEN}", argument)
    shown = _SECRET_KEY.sub(rf"\1{_HIDDEN}", shown)
    return flag + _USER.sub(rf"\1{_HIDDEN}@", shown)
