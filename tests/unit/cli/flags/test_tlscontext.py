"""`--registry-auth-tlscontext`: the rules and messages of build/registryauthtlscontext.go."""

import pytest

from buildctl.cli.flags.tlscontext import parse_tls_contexts
from buildctl.errors import UsageError
from buildctl.model.offer import RegistryTLS

FLAG = "--registry-auth-tlscontext"


@pytest.mark.parametrize(
    ("values", "contexts"),
    [
        ([], {}),
        (["host=h,insecure=true"], {"h": RegistryTLS(insecure=True)}),
        (["HOST=h,CA=c,other=1"], {"h": RegistryTLS(("c",))}),
        (["host=h,cert=c,key=k"], {"h": RegistryTLS(key_pairs=(("c", "k"),))}),
        (["host=h,ca=a,insecure=maybe"], {"h": RegistryTLS(("a",))}),
        (["host=h,insecure=1,cert=c"], {"h": RegistryTLS(insecure=True)}),
        (
            ["host=h,ca=a", "host=h,ca=b,cert=c,key=k", "host=h,insecure=t", "host=i,ca=a"],
            {"h": RegistryTLS(("a", "b"), (("c", "k"),), insecure=True), "i": RegistryTLS(("a",))},
        ),
    ],
)
def test_contexts_by_host(values: list[str], contexts: dict[str, RegistryTLS]) -> None:
    assert parse_tls_contexts(values) == contexts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "EOF"),
        ("host", "invalid value host"),
        ("ca=c", f"{FLAG} requires host=<host>"),
        ("host=h", f"{FLAG} requires ca=<ca> or cert=<cert>,key=<key> or insecure=true"),
        ("host=h,cert=c", f"{FLAG} requires ca=<ca> or cert=<cert>,key=<key> or insecure=true"),
        ("host=h,ca=a,cert=c", f"{FLAG} requires cert=<cert>,key=<key>"),
        ("host=h,ca=a,key=k", f"{FLAG} requires cert=<cert>,key=<key>"),
    ],
)
def test_what_is_no_context(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_tls_contexts([text])
    assert str(caught.value) == message
