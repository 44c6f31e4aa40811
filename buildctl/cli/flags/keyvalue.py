"""`--opt`, `--local`, `--oci-layout`: repeated `key=value` flags. Sources: build/opt.go, ocilayout.go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from buildctl.errors import UsageError

_BUILD_ARG = "build-arg:"
_EPOCH = "SOURCE_DATE_EPOCH"


def parse_opts(values: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The frontend's attributes: the last of a key wins, and `build-arg:NAME` takes `$NAME`.

    SOURCE_DATE_EPOCH of the environment is a build argument unless one is given. A `build-arg:NAME` whose
    variable is unset is dropped. Raises `UsageError` for a value without `=`.
    """
    attrs = {_BUILD_ARG + _EPOCH: environ[_EPOCH]} if _EPOCH in environ else {}
    for text in values:
        key, equals, value = text.partition("=")
        if equals:
            attrs[key] = value
        elif key.startswith(_BUILD_ARG) and key != _BUILD_ARG:
            name = key.removeprefix(_BUILD_ARG)
            if name in environ:
                attrs[key] = environ[name]
        else:
            raise UsageError(f"invalid opt: invalid value {text}", hint="write --opt KEY=VALUE")
    return attrs


def parse_locals(values: Iterable[str]) -> dict[str, str]:
    """Directories by local name, the last of a name winning. Raises `UsageError` for a value without `=`."""
    directories: dict[str, str] = {}
    for text in values:
        name, equals, directory = text.partition("=")
        if not equals:
            raise UsageError(f"invalid local: invalid value {text}", hint="write --local NAME=DIRECTORY")
        directories[name] = directory
    return directories


def parse_oci_layouts(values: Iterable[str]) -> dict[str, str]:
    """Layouts by their id, the last of an id winning. Raises `UsageError` without `=` or path."""
    layouts: dict[str, str] = {}
    for text in values:
        layout_id, _, path = text.partition("=")
        if not path:
            raise UsageError(
                "invalid oci-layout: oci-layout option must be 'id=path/to/layout',"
                f" instead had invalid {text}",
                hint="and name it in --opt context:NAME=oci-layout://ID@DIGEST",
            )
        layouts[layout_id] = path
    return layouts
