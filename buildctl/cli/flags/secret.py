"""`--secret id=npm,src=.npmrc`: where a secret comes from.

Sources: cmd/buildctl/build/secret.go, session/secrets/secretsprovider/store.go of the reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from buildctl.cli.flags.csv import parse_fields
from buildctl.errors import UsageError
from buildctl.model.offer import SecretSource
from buildctl.model.quote import quote

_HINT = "for example --secret id=npm,src=.npmrc or --secret id=token,env=TOKEN"


def parse_secret(text: str) -> SecretSource:
    """The source of one secret as it is written. Raises `UsageError`."""
    found = {"id": "", "src": "", "env": "", "type": ""}
    try:
        fields = parse_fields(text)
    except UsageError as error:
        raise UsageError(f"failed to parse csv secret: {error}", hint=_HINT) from None
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"invalid field '{field}' must be a key=value pair", hint=_HINT)
        key = key.lower()
        if key == "type" and value not in ("file", "env"):
            raise UsageError(f"unsupported secret type {quote(value)}", hint="type is file or env")
        name = "src" if key == "source" else key
        if name not in found:
            raise UsageError(f"unexpected key '{key}' in '{field}'", hint="keys are id, src, env and type")
        found[name] = value
    path, env = found["src"], found["env"]
    if found["type"] == "env" and not env:
        path, env = "", path
    return SecretSource(found["id"], path, env)


def complete_secret(source: SecretSource, environ: Mapping[str, str]) -> SecretSource:
    """The source with what it leaves out: the variable, or else the file, that is named like its id.

    Raises `UsageError` for one without an id.
    """
    if not source.id:
        raise UsageError("secret missing ID", hint=_HINT)
    if source.path or source.env:
        return source
    if source.id in environ:
        return SecretSource(source.id, env=source.id)
    return SecretSource(source.id, path=source.id)
