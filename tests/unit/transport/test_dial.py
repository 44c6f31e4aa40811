"""Addresses are split, resolved and tried in order, as Go's dialler does."""

from __future__ import annotations

import socket

import pytest

from buildctl.errors import ConnectError
from buildctl.transport import dial
from buildctl.transport.channel import _ip_target
from buildctl.transport.dial import dial_tcp, resolve, split_host_port


@pytest.mark.parametrize(
    ("endpoint", "parts"),
    [
        ("h:1", ("h", "1")),
        (":1", ("", "1")),
        ("h:", ("h", "")),
        ("[::1]:2", ("::1", "2")),
        ("[fe80::1%eth0]:2", ("fe80::1%eth0", "2")),
        ("", "dial tcp: missing address"),
        ("h", "dial tcp: address h: missing port in address"),
        ("::1", "dial tcp: address ::1: too many colons in address"),
        ("[::1]", "dial tcp: address [::1]: missing port in address"),
        ("[::1:2", "dial tcp: address [::1:2: missing ']' in address"),
        ("[::1]:2:3", "dial tcp: address [::1]:2:3: too many colons in address"),
        ("h]:2", "dial tcp: address h]:2: unexpected ']' in address"),
        ("h:65535", ("h", "65535")),
        ("h:00080", ("h", "00080")),
        ("h:65536", "dial tcp: address 65536: invalid port"),
        ("h:70000", "dial tcp: address 70000: invalid port"),
        ("[::1]:99999999999", "dial tcp: address 99999999999: invalid port"),
        ("h:" + "9" * 5000, "dial tcp: address " + "9" * 5000 + ": invalid port"),
        ("h:+65536", "dial tcp: address +65536: invalid port"),
        ("h:-1", "dial tcp: address -1: invalid port"),
        ("h:[", "dial tcp: address h:[: unexpected '[' in address"),
    ],
)
def test_split_host_port(endpoint: str, parts: tuple[str, str] | str) -> None:
    if isinstance(parts, tuple):
        assert split_host_port(endpoint) == parts
        return
    with pytest.raises(ConnectError) as caught:
        split_host_port(endpoint)
    assert f'Error while dialing: {parts}"' in caught.value.message


@pytest.mark.parametrize(("name", "port"), [("http", 80), ("pop3s", 995)])
async def test_resolve_takes_names_of_ports_whatever_the_system_knows(name: str, port: int) -> None:
    assert (socket.AF_INET, ("127.0.0.1", port)) in await resolve(f"127.0.0.1:{name}")
    with pytest.raises(ConnectError, match="unknown port"):
        await resolve("127.0.0.1:no-such-service")


async def test_each_address_is_tried_and_the_first_error_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found: list[dial.SocketAddress] = [
            (socket.AF_INET, ("127.0.0.1", 1)),
            (socket.AF_INET, ("127.0.0.1", port)),
        ]

        async def resolved(endpoint: str) -> list[dial.SocketAddress]:
            return found

        monkeypatch.setattr(dial, "resolve", resolved)
        stream = await dial_tcp("two.example:1")
        assert stream.sock.getpeername()[1] == port
        await stream.aclose()
    found[1] = (socket.AF_INET, ("127.0.0.2", 1))
    with pytest.raises(ConnectError, match=r"dial tcp 127\.0\.0\.1:1: connect: connection refused"):
        await dial_tcp("two.example:1")


def test_targets_keep_the_order_of_mixed_families() -> None:
    four = (socket.AF_INET, ("10.0.0.1", 7))
    six = (socket.AF_INET6, ("fe80::1", 7))
    assert _ip_target([four, four]) == "ipv4:10.0.0.1:7,10.0.0.1:7"
    assert _ip_target([six, four]) == "ipv6:[fe80::1]:7,[::ffff:10.0.0.1]:7"
