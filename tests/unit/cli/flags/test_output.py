"""`--output`: the rules and messages of cmd/buildctl/build/output.go. Nothing on disk is looked at."""

import pytest

from buildctl.cli.flags.output import parse_output
from buildctl.errors import UsageError
from buildctl.model.solve import (
    DirectoryDestination,
    Export,
    FileDestination,
    LayoutDestination,
    StdoutDestination,
)


@pytest.mark.parametrize(
    ("text", "export"),
    [
        ("type=local,dest=out", Export("local", {}, DirectoryDestination("out"))),
        ("type=local,dest=-", Export("local", {}, DirectoryDestination("-"))),
        ("type=local,dest=o,mode=foo", Export("local", {"mode": "foo"}, DirectoryDestination("o"))),  # later
        ("type=local,dest=o,mode=Delete", Export("local", {"mode": "Delete"}, DirectoryDestination("o"))),
        ("type=tar", Export("tar", {}, StdoutDestination())),
        ("type=tar,dest=-", Export("tar", {}, StdoutDestination())),
        ("type=tar,dest=x.tar", Export("tar", {}, FileDestination("x.tar"))),
        ("type=oci,dest=x.tar,Name=n", Export("oci", {"name": "n"}, FileDestination("x.tar"))),
        ("type=oci,dest=x,tar=maybe", Export("oci", {"tar": "maybe"}, FileDestination("x"))),
        ("type=docker,tar=false,dest=d", Export("docker", {"tar": "false"}, LayoutDestination("d"))),
        ("type=image,name=a/b,push=true", Export("image", {"name": "a/b", "push": "true"})),
        ("type=image,dest=", Export("image", {"dest": ""})),
        ("type=image,x=1,x=2", Export("image", {"x": "2"})),
        ('type=image,"name=a:1,b:2"', Export("image", {"name": "a:1,b:2"})),
        ("type=nope", Export("nope")),
    ],
)
def test_exports(text: str, export: Export) -> None:
    assert parse_output(text) == export


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dest=x", "--output requires type=<type>"),
        ("type=image,output=x", "output=x not supported for --output, you meant dest=x?"),
        ("type=local", "invalid output option: output: output directory is required for local exporter"),
        ("type=oci,tar=0", "invalid output option: output: output directory is required for oci exporter"),
        (
            "type=image,dest=/tmp",
            "invalid output option: output: output /tmp is not supported by image exporter",
        ),
        ("local", "invalid value local"),
        ("", "EOF"),
    ],
)
def test_refuse(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_output(text)
    assert str(caught.value) == message
