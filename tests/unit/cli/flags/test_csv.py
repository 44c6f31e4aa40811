"""CSV fields as Go's csvvalue reads them; columns and messages as the reference was seen to print them."""

import pytest

from buildctl.cli.flags.csv import parse_attributes, parse_fields
from buildctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a,,b", ["a", "", "b"]),
        (",", ["", ""]),
        ("a,", ["a", ""]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""hi""",c', ['say "hi"', "c"]),
        ('""', [""]),
        (" a , b ", [" a ", " b "]),
        ("a\n", ["a"]),
        ("a\r\n", ["a"]),
    ],
)
def test_fields(text: str, fields: list[str]) -> None:
    assert parse_fields(text) == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "EOF"),
        ("\n", "EOF"),
        ("\r\n", "EOF"),
        ('a,"b', 'parse error on line 1, column 4: extraneous or missing " in quoted-field'),
        ('"a""b', 'parse error on line 1, column 5: extraneous or missing " in quoted-field'),
        ('"', 'parse error on line 1, column 2: extraneous or missing " in quoted-field'),
        ('a"b', 'parse error on line 1, column 2: bare " in non-quoted-field'),
        ('type="local"x', 'parse error on line 1, column 6: bare " in non-quoted-field'),
        ('é"', 'parse error on line 1, column 3: bare " in non-quoted-field'),
        ('"a"b', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'),
        ('"a', 'parse error on line 1, column 2: extraneous or missing " in quoted-field'),
    ],
)
def test_refuse(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_fields(text)
    assert str(caught.value) == message


def test_attributes() -> None:
    assert parse_attributes("Type=image,NAME=a=b,name=C") == {"type": "image", "name": "C"}
    with pytest.raises(UsageError, match=r"^invalid value local$"):
        parse_attributes("local")
