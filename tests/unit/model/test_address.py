"""Addresses are read as the reference reads them, refusals included."""

from __future__ import annotations

import pytest

from buildctl.errors import UsageError
from buildctl.model.address import DEFAULT_ADDRESS, Address, TLSOptions, parse_address
from buildctl.model.quote import quote
from buildctl.model.url import parse_url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("://", 'parse "://": missing protocol scheme'),
        ("127.0.0.1:1234", 'parse "127.0.0.1:1234": first path segment in URL cannot contain colon'),
        ("tcp://h:x", 'parse "tcp://h:x": invalid port ":x" after host'),
        ("tcp://[::1]x", 'parse "tcp://[::1]x": invalid port "x" after host'),
        ("tcp://[::1", "parse \"tcp://[::1\": missing ']' in host"),
        ("tcp://a b", 'parse "tcp://a b": invalid character " " in host name'),
        ("tcp://h%zz", 'parse "tcp://h%zz": invalid URL escape "%zz"'),
        ("tcp://h%41", 'parse "tcp://h%41": invalid URL escape "%41"'),
        ("unix:///a%2", 'parse "unix:///a%2": invalid URL escape "%2"'),
        ("ssh://a/b@h", None),
        ("ssh://a^b@h", 'parse "ssh://a^b@h": net/url: invalid userinfo'),
        ("a\tb", 'parse "a\\tb": net/url: invalid control character in URL'),
        (
            "unix://bk.sock",
            'failed to dial "unix://bk.sock" . make sure buildkitd is running: failed to exit idle mode: '
            "failed to start resolver: invalid (non-empty) authority: bk.sock",
        ),
        ("docker-container://", "url lacks container name"),
        ("podman-container://", "url lacks container name"),
        ("nerdctl-container://", "url lacks container name"),
        ("kube-pod://", "url lacks pod name"),
        ("kube-pod://BAD_POD", 'unsupported pod name: "BAD_POD"'),
        ("kube-pod://pod?namespace=Bad", 'unsupported namespace name: "Bad"'),
        ("kube-pod://?namespace=Bad", 'unsupported namespace name: "Bad"'),
        ("kube-pod://pod?container=b_d", 'unsupported container name: "b_d"'),
        ("kube-pod://pod\n", 'parse "kube-pod://pod\\n": net/url: invalid control character in URL'),
        ("ssh://user:pw@h", "plain-text password is not supported"),
        ("ssh://user:@h", "plain-text password is not supported"),
        ("ssh://", "no host specified"),
        ("ssh://me@", "no host specified"),
        ("ssh://h?x=1", 'extra query after the host: "x=1"'),
        ("ssh://h#x", 'extra fragment after the host: "x"'),
        ("npipe://x", "npipe connections are only supported on windows"),
        ("docker://h/x", 'not an address of a Docker Engine: "docker://h/x"'),
        ("docker:x", 'not an address of a Docker Engine: "docker:x"'),
        ("foo", 'not an address: "foo"'),
        ("/run/buildkit/buildkitd.sock", 'not an address: "/run/buildkit/buildkitd.sock"'),
        ("daemonless://x", 'nothing may follow daemonless://, got "daemonless://x"'),
    ],
)
def test_refused(text: str, message: str | None) -> None:
    if message is None:
        parse_address(text)
        return
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:///run/a.sock", Address("unix:///run/a.sock", "unix", path="/run/a.sock")),
        ("unix:///a%20b", Address("unix:///a%20b", "unix", path="/a b")),
        ("UNIX:/a", Address("UNIX:/a", "unix", path="/a")),
        ("unix:rel", Address("unix:rel", "unix", path="rel")),
        ("unix:@name", Address("unix:@name", "unix-abstract", path="name")),
        ("unix://@name", Address("unix://@name", "unix-abstract", path="name")),
        ("unix://@/run/a.sock", Address("unix://@/run/a.sock", "unix-abstract", path="/run/a.sock")),
        ("UNIX:@a b", Address("UNIX:@a b", "unix-abstract", path="a b")),
        ("unix:///@name", Address("unix:///@name", "unix", path="/@name")),
        ("unix:@", Address("unix:@", "unix", path="@")),
        ("unix-abstract:name", Address("unix-abstract:name", "unix-abstract", path="name")),
        ("tcp://h:1", Address("tcp://h:1", "tcp", hostname="h", port="1", endpoint="h:1", host="h:1")),
        (
            "tcp://[::1]:2",
            Address("tcp://[::1]:2", "tcp", hostname="::1", port="2", endpoint="[::1]:2", host="[::1]:2"),
        ),
        ("tcp://h", Address("tcp://h", "tcp", hostname="h", endpoint="h", host="h")),
        ("localhost:1234", Address("localhost:1234", endpoint="localhost:1234")),
        (
            "http://h:1",
            Address("http://h:1", hostname="h", port="1", endpoint="http://h:1", host="h:1"),
        ),
        ("dns:///h:1", Address("dns:///h:1", "dns", path="/h:1", endpoint="h:1")),
        ("passthrough:///h:1", Address("passthrough:///h:1", "passthrough", path="/h:1", endpoint="h:1")),
        ("docker://", Address("docker://", "docker")),
        ("docker:///s.sock", Address("docker:///s.sock", "docker", path="/s.sock")),
        (
            "docker://h:2",
            Address("docker://h:2", "docker", hostname="h", port="2", endpoint="h:2", host="h:2"),
        ),
        (
            "kube-pod://p?namespace=n&context=user@cluster",
            Address(
                "kube-pod://p?namespace=n&context=user@cluster",
                "kube-pod",
                hostname="p",
                host="p",
                query={"namespace": "n", "context": "user@cluster"},
            ),
        ),
        (
            "ssh://me@foo:10022/s.sock",
            Address(
                "ssh://me@foo:10022/s.sock",
                "ssh",
                user="me",
                hostname="foo",
                port="10022",
                path="/s.sock",
                host="foo:10022",
            ),
        ),
        ("docker-container://c?context=a&context=b", None),
        ("daemonless://", Address("daemonless://", "daemonless")),
    ],
)
def test_read(text: str, address: Address | None) -> None:
    parsed = parse_address(text)
    if address is None:
        assert parsed.query == {"context": "a"}  # the first one counts
        return
    for name in ("text", "scheme", "user", "hostname", "port", "path", "host", "query"):
        assert getattr(parsed, name) == getattr(address, name), name
    if address.endpoint:
        assert parsed.endpoint == address.endpoint


def test_the_command_line_takes_a_word_as_the_reference_does() -> None:
    assert parse_address("foo", takes_words=True) == Address("foo", path="foo", endpoint="foo")


def test_empty_is_the_default() -> None:
    assert parse_address("").text == DEFAULT_ADDRESS
    assert parse_address("").path == "/run/buildkit/buildkitd.sock"


def test_a_server_name_alone_wants_no_tls() -> None:
    assert not TLSOptions(server_name="x").wanted
    assert TLSOptions(ca="x").wanted
    assert TLSOptions(directory="x").wanted


def test_url_parts() -> None:
    url = parse_url("Scheme://us%40er:p%3Aw@[fe80::1]:8/pa%2Fth?a=1&b&a=2#fr%61g")
    assert url.scheme == "scheme"
    assert (url.user, url.password) == ("us@er", "p:w")
    assert (url.hostname, url.port, url.host) == ("fe80::1", "8", "[fe80::1]:8")
    assert (url.path, url.fragment) == ("/pa/th", "frag")
    assert (url.raw_query, url.query) == ("a=1&b&a=2", {"a": "1", "b": ""})


def test_bytes_that_are_no_utf8_survive() -> None:
    assert parse_address("unix:///a%ff").path == "/a\udcff"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('a"b\\', '"a\\"b\\\\"'),
        ("é\u200b", '"é\\u200b"'),
        ("\x00\x7f\x1b\a\v\r", '"\\x00\\x7f\\x1b\\a\\v\\r"'),
        ("\udcff", '"\\xff"'),
        ("\U000e0001", '"\\U000e0001"'),
    ],
)
def test_quote(text: str, quoted: str) -> None:
    assert quote(text) == quoted
