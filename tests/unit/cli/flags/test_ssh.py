"""`--ssh`: the rules and messages of cmd/buildctl/build/ssh.go."""

import pytest

from buildctl.cli.flags.ssh import parse_agent
from buildctl.errors import UsageError
from buildctl.model.offer import AgentSource


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("default", AgentSource()),
        ("", AgentSource()),
        ("git", AgentSource("git")),
        ("git=", AgentSource("git", ("",))),
        ("=/s", AgentSource("default", ("/s",))),
        ("git=a,b", AgentSource("git", ("a", "b"))),
        ("git=a,raw=true", AgentSource("git", ("a",), raw=True)),
        ("git=raw=1,a", AgentSource("git", ("a",), raw=True)),
        ("git=raw=1,raw=0", AgentSource("git")),
        ("git=a=b", AgentSource("git", ("a=b",))),
        ("git=raw", AgentSource("git", ("raw",))),
    ],
)
def test_an_agent(text: str, source: AgentSource) -> None:
    assert parse_agent(text) == source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=x,raw=", "invalid value for 'raw': : strconv.ParseBool: parsing \"\": invalid syntax"),
        ("a=raw=true", 'raw mode must supply exactly one socket path for "a"'),
        ("=x,y,raw=true", 'raw mode must supply exactly one socket path for ""'),
    ],
)
def test_what_is_no_agent(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_agent(text)
    assert str(caught.value) == message
