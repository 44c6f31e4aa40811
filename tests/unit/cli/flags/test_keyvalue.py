"""`--opt`, `--local`, `--allow`: the cases of the reference's TestParseOpt and more."""

import pytest

from buildctl.cli.flags.entitlement import parse_entitlement
from buildctl.cli.flags.keyvalue import parse_locals, parse_oci_layouts, parse_opts
from buildctl.errors import UsageError

ENVIRON = {"A": "from-env", "EMPTY": ""}


@pytest.mark.parametrize(
    ("values", "attrs"),
    [
        ([], {}),
        (["target=foo", "build-arg:x=1"], {"target": "foo", "build-arg:x": "1"}),
        (["k=a=b"], {"k": "a=b"}),
        (["k="], {"k": ""}),
        (["k=1", "k=2"], {"k": "2"}),
        (["Key=1"], {"Key": "1"}),
        (["build-arg:A"], {"build-arg:A": "from-env"}),
        (["build-arg:EMPTY"], {"build-arg:EMPTY": ""}),
        (["build-arg:UNSET"], {}),
        (["build-arg:UNSET=1", "build-arg:UNSET"], {"build-arg:UNSET": "1"}),
        (["build-arg:A=1", "build-arg:A"], {"build-arg:A": "from-env"}),
        (["build-arg:A", "build-arg:A=1"], {"build-arg:A": "1"}),
    ],
)
def test_opts(values: list[str], attrs: dict[str, str]) -> None:
    assert parse_opts(values, ENVIRON) == attrs


def test_epoch_of_the_environment_is_a_build_argument_unless_given() -> None:
    assert parse_opts([], {"SOURCE_DATE_EPOCH": ""}) == {"build-arg:SOURCE_DATE_EPOCH": ""}
    given = parse_opts(["build-arg:SOURCE_DATE_EPOCH=5"], {"SOURCE_DATE_EPOCH": "9"})
    assert given == {"build-arg:SOURCE_DATE_EPOCH": "5"}


@pytest.mark.parametrize("text", ["target", "build-arg:", ""])
def test_refused_opts(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_opts([text], ENVIRON)
    assert str(caught.value) == f"invalid opt: invalid value {text}"


def test_locals() -> None:
    assert parse_locals(["context=.", "context=a=b", "x="]) == {"context": "a=b", "x": ""}
    with pytest.raises(UsageError, match=r"^invalid local: invalid value bad$"):
        parse_locals(["bad"])


def test_oci_layouts() -> None:
    assert parse_oci_layouts(["a=x", "a=dir=1", "=y"]) == {"a": "dir=1", "": "y"}
    with pytest.raises(UsageError) as caught:
        parse_oci_layouts(["bad"])
    assert str(caught.value) == (
        "invalid oci-layout: oci-layout option must be 'id=path/to/layout', instead had invalid bad"
    )


@pytest.mark.parametrize(
    "text", ["network.host", "security.insecure", "device", "device=a.com/gpu=all", "device=x,alias=y"]
)
def test_entitlements(text: str) -> None:
    assert parse_entitlement(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "unknown entitlement foo"),
        ("network.host=1", "unknown entitlement network.host=1"),
        ("device=a,b", 'invalid device config "b"'),
        ("device=a,k=v", 'unknown device config key "k"'),
    ],
)
def test_refused_entitlements(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_entitlement(text)
    assert str(caught.value) == message
