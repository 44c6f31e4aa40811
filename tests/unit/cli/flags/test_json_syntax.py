"""JSON that Go refuses, in its words, and JSON that it reads."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.cli.flags.json_syntax import check_json
from buildctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unexpected end of JSON input"),
        (" ", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("[1", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ('"a', "unexpected end of JSON input"),
        ('"\\u12', "unexpected end of JSON input"),
        ("nul", "unexpected end of JSON input"),
        ("-", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ("[,]", "invalid character ',' looking for beginning of value"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{,}", "invalid character ',' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ("{'a'}", "invalid character '\\'' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1}", "invalid character '}' after array element"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("01", "invalid character '1' after top-level value"),
        ('"\\q"', "invalid character 'q' in string escape code"),
        ('"\\u12x4"', "invalid character 'x' in \\u hexadecimal character escape"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.", "unexpected end of JSON input"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ("1e+x", "invalid character 'x' in exponent of numeric literal"),
        ("trve", "invalid character 'v' in literal true (expecting 'u')"),
        ("nulx", "invalid character 'x' in literal null (expecting 'l')"),
        ("\ufeff{}", "invalid character 'ï' looking for beginning of value"),
    ],
)
def test_refuse(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_json(text.encode())
    assert str(caught.value) == message


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_every_value_passes(value: object, indent: int | None, ascii_only: bool) -> None:
    check_json(json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode())


@given(st.text('{}[]:,"\\ u0-1.eEtrufalsn\n', max_size=12))
def test_python_agrees(text: str) -> None:
    try:
        check_json(text.encode())
    except UsageError:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)
    else:
        json.loads(text)


@given(st.binary(max_size=40))
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        check_json(data)


def test_depth_is_no_matter() -> None:
    check_json(b"[" * 100_000 + b"]" * 100_000)
