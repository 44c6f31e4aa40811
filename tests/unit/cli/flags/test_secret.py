"""`--secret`: the rules and messages of cmd/buildctl/build/secret.go and secretsprovider/store.go."""

import pytest

from buildctl.cli.flags.secret import complete_secret, parse_secret
from buildctl.errors import UsageError
from buildctl.model.offer import SecretSource


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("id=a,src=f", SecretSource("a", path="f")),
        ("ID=a,Source=f", SecretSource("a", path="f")),
        ("id=a,env=E", SecretSource("a", env="E")),
        ("id=a,src=f,env=E", SecretSource("a", path="f", env="E")),
        ("id=a,type=file,src=f", SecretSource("a", path="f")),
        ("type=env,id=a,src=E", SecretSource("a", env="E")),
        ("type=env,id=a,src=f,env=E", SecretSource("a", path="f", env="E")),
        ("type=env,id=a", SecretSource("a")),
        ("id=a,id=b,src=x,source=y", SecretSource("b", path="y")),
        ('id=a,"src=with,comma"', SecretSource("a", path="with,comma")),
        ("src=f", SecretSource("", path="f")),
    ],
)
def test_a_secret_as_written(text: str, source: SecretSource) -> None:
    assert parse_secret(text) == source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "failed to parse csv secret: EOF"),
        ('id="a"', 'failed to parse csv secret: parse error on line 1, column 4: bare " in non-quoted-field'),
        ("a", "invalid field 'a' must be a key=value pair"),
        ("id=a,", "invalid field '' must be a key=value pair"),
        ("id=a,type=", 'unsupported secret type ""'),
        ("id=a,type=File", 'unsupported secret type "File"'),
        ("id=a,Foo=1", "unexpected key 'foo' in 'Foo=1'"),
    ],
)
def test_what_is_no_secret(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_secret(text)
    assert str(caught.value) == message


def test_what_is_left_out() -> None:
    assert complete_secret(SecretSource("a"), {"a": ""}) == SecretSource("a", env="a")
    assert complete_secret(SecretSource("a"), {}) == SecretSource("a", path="a")
    assert complete_secret(SecretSource("a", env="X"), {"a": ""}) == SecretSource("a", env="X")
    with pytest.raises(UsageError, match="^secret missing ID$"):
        complete_secret(SecretSource("", path="f"), {})
