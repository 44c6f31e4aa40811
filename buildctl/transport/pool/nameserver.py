"""What the system's resolver cannot be asked: SRV records, and a name server of one's own. By dnspython."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildctl.errors import ConnectError, UsageError
from buildctl.transport.dial import split_host_port

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

_SECONDS = 4.0


def _resolver(server: str) -> Resolver:
    """The resolver of resolv.conf, or one that asks `server` (an IP address with a port) alone."""
    try:
        from dns.asyncresolver import Resolver
    except ImportError:
        raise UsageError(
            "SRV records and ?server= need the package dnspython", hint="install buildctl[dns]"
        ) from None
    resolver = Resolver(configure=not server)
    if server:
        host, port = split_host_port(server)
        resolver.nameservers = [host]
        resolver.port = int(port)
    resolver.lifetime = _SECONDS
    return resolver


async def services(name: str, server: str = "") -> list[tuple[str, int]]:
    """The hosts and ports of an SRV name (RFC 2782): those of the best priority. Raises `ConnectError`."""
    from dns.exception import DNSException

    try:
        records = list(await _resolver(server).resolve(name, "SRV", search=not server))
    except (DNSException, ValueError, OSError) as error:
        raise ConnectError(f"lookup {name}: {error}", hint="does the name have SRV records?") from None
    best = min(record.priority for record in records)
    targets = [
        (record.target.to_text(omit_final_dot=True), int(record.port))
        for record in records
        if record.priority == best
    ]
    return sorted(target for target in targets if target[0])  # a root target says that there is none


async def hosts(name: str, server: str) -> list[str]:
    """The addresses of a host, as the name server has them. Raises `ConnectError`."""
    from dns.exception import DNSException

    try:
        answers = await _resolver(server).resolve_name(name)
        return sorted(answers.addresses())
    except (DNSException, ValueError, OSError) as error:
        raise ConnectError(f"lookup {name}: {error}", hint="is the host's name right?") from None
