"""Any text is the value of a flag or a UsageError of one line, and fields that are quoted come back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from unittest import mock

from buildctl.cli.flags.cache import parse_export_cache, parse_import_cache
from buildctl.cli.flags.csv import parse_attributes, parse_fields
from buildctl.cli.flags.output import parse_output
from buildctl.cli.flags.secret import parse_secret
from buildctl.cli.flags.ssh import parse_agent
from buildctl.errors import UsageError
from tests.fuzz.driver import Harness, words

ENVIRON = {"ACTIONS_RUNTIME_TOKEN": "t"}

PARSERS: tuple[Callable[[str], object], ...] = (
    parse_fields,
    parse_attributes,
    parse_output,
    lambda text: parse_export_cache(text, ENVIRON),
    lambda text: parse_import_cache(text, ENVIRON),
    parse_secret,
    parse_agent,
)


def check(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    outcomes = []
    # Old forms are deprecated in every second input.
    with mock.patch.object(logging.getLogger("buildctl"), "disabled", True):
        for parse in PARSERS:
            try:
                parse(text)
                outcomes.append("read")
            except UsageError as error:
                outcomes.append(str(error).split(" ")[0])
    fields = text.split(",")
    quoted = ",".join('"{}"'.format(field.replace('"', '""')) for field in fields)
    assert parse_fields(quoted) == fields
    return " ".join(outcomes)


HARNESS = Harness(
    "csv_values",
    check,
    lambda: [
        b"type=local,dest=out",
        b'type=image,"name=a,b",push=true',
        b"type=registry,ref=r/n:t,mode=max",
        b"type=gha,url=u,token=t",
        b"id=npm,src=.npmrc",
        b"id=t,type=env,env=T",
        b"default=a,b,raw=true",
        b"docker.io/x/y",
        b'"a""b",c\r\n',
    ],
    words=words('type= dest= id= src= env= raw= ref= tar= "" " , = true oci tar -', b"\r", b"\n", b"\xff"),
)
