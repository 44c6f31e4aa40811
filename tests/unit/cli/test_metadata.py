"""--metadata-file: the cases of the reference's TestWriteMetadataFile."""

import base64

import pytest

from buildctl.cli.metadata import format_metadata


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", '"plain"'),
        (b64('{"b":1,"a":null}'), '{\n    "b": 1,\n    "a": null\n  }'),
        (b64("12345"), '"MTIzNDU="'),
        (b64("{}"), '"e30="'),
        (b64("[1]"), '"WzFd"'),
        ("<&>", r'"\u003c\u0026\u003e"'),
    ],
)
def test_values(value: str, expected: str) -> None:
    assert format_metadata({"key": value}).decode() == '{\n  "key": ' + expected + "\n}"


def test_keys_are_sorted() -> None:
    assert format_metadata({"b": "2", "a": "1"}) == b'{\n  "a": "1",\n  "b": "2"\n}'


def test_json_of_very_many_parts_stays_as_it_came() -> None:
    many = base64.b64encode(b'{"a":[' + b"[]," * 300_000 + b"[]]}").decode()
    some = base64.b64encode(b'{"a":[' + b"[]," * 30_000 + b"[]]}").decode()
    assert format_metadata({"key": many}) == b'{\n  "key": "%s"\n}' % many.encode()
    assert b'"a": [' in format_metadata({"key": some})
