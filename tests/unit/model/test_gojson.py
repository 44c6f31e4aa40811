"""Go's JSON: what its documentation says of escapes."""

import pytest

from buildctl.model.gojson import encode


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None]}, b'{"b":1,"a":[true,null]}'),
        ("<a> & \u2028\u2029", rb'"\u003ca\u003e \u0026 \u2028\u2029"'),
        ('"\\\n\t\x01', rb'"\"\\\n\t\u0001"'),
        ("é😀", '"é😀"'.encode()),
        (b"a\xff<".decode(errors="surrogateescape"), rb'"a\ufffd\u003c"'),
    ],
)
def test_compact(value: object, expected: bytes) -> None:
    assert encode(value) == expected


def test_without_html() -> None:
    assert encode("<&>\u2028", escape_html=False) == rb'"<&>\u2028"'


def test_indented() -> None:
    assert encode({"a": {"b": 1}}, indent=2) == b'{\n  "a": {\n    "b": 1\n  }\n}'
