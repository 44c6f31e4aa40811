"""Which hosts `--registry-auth-hosts` means."""

from __future__ import annotations

import pytest

from buildctl.cli.flags.authhosts import AuthHosts, parse_auth_hosts
from buildctl.errors import UsageError


@pytest.mark.parametrize(
    ("values", "host", "admitted"),
    [
        ((), "anything.example", True),
        (("none",), "r.example", False),
        (("auto",), "r.example", False),  # until the build is known
        (("r.example",), "r.example", True),
        (("r.example",), "R.Example", True),
        (("r.example",), "r.example:5000", False),
        (("r.example:5000",), "r.example:5000", True),
        (("r.example:*",), "r.example:5000", True),
        (("r.example",), "r.example.evil", False),
        (("r.example",), "evil.r.example", False),
        (("r.example",), "rxexample", False),
        (("*.corp.example",), "r.corp.example", True),
        (("*.corp.example",), "corp.example", False),
        (("*.corp.example",), "r.corp.example.evil", False),
        (("*",), "anything.example", True),
        (("a.example, b.example", "c.example"), "b.example", True),
        (("a.example, b.example", "c.example"), "c.example", True),
        (("auto", "c.example"), "c.example", True),
        (("docker.io",), "registry-1.docker.io", True),
        (("docker.io",), "index.docker.io", True),
        (("registry-1.docker.io",), "docker.io", True),
        (("[::1]:5000",), "[::1]:5000", True),
    ],
)
def test_hosts(values: tuple[str, ...], host: str, admitted: bool) -> None:
    assert parse_auth_hosts(values).admits(host) == admitted


@pytest.mark.parametrize(
    "text", ["", "a.example,", "https://r.example", "r.example/team", "a b", "none,a.example"]
)
def test_what_is_not_a_host(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--registry-auth-hosts: ") as caught:
        parse_auth_hosts([text])
    assert "for example" in caught.value.hint


def test_a_name_that_a_build_has_is_not_a_pattern() -> None:
    assert not AuthHosts((), named=frozenset({"*.example"})).admits("r.example")
