"""Addresses behind a command: which program carries the bytes to a daemon in a container, pod or other host.

Each runs `buildctl dial-stdio` beside the daemon, which copies its standard input and output to the daemon's
socket; the daemon's side needs BuildKit 0.5 or later. Names have been checked by `parse_address`.
"""

from __future__ import annotations

from buildctl.model.address import Address

_DIAL_STDIO = ("buildctl", "dial-stdio")


def helper_command(address: Address) -> tuple[str, ...]:
    """The program and its arguments; empty for an address that needs none."""
    name, query = address.hostname, address.query
    match address.scheme:
        case "docker-container":
            context = (f"--context={query['context']}",) if query.get("context") else ()
            return ("docker", *context, "exec", "-i", name, *_DIAL_STDIO)
        case "podman-container":
            return ("podman", "exec", "-i", name, *_DIAL_STDIO)
        case "nerdctl-container":
            namespace = ("--namespace", query["namespace"]) if query.get("namespace") else ()
            return ("nerdctl", "exec", *namespace, "-i", name, *_DIAL_STDIO)
        case "kube-pod":
            # kubectl takes an empty option for the one of its own configuration.
            where = (f"--context={query.get('context', '')}", f"--namespace={query.get('namespace', '')}")
            container = f"--container={query.get('container', '')}"
            return ("kubectl", *where, "exec", container, "-i", name, "--", *_DIAL_STDIO)
        case "ssh":
            socket = ("--addr", f"unix://{address.path}") if address.path else ()
            return ssh_command(address, "buildctl", *socket, "dial-stdio")
        case _:
            return ()


def ssh_command(address: Address, *remote: str) -> tuple[str, ...]:
    """ssh to the address's host, to run `remote` there."""
    user = ("-l", address.user) if address.user else ()
    port = ("-p", address.port) if address.port else ()
    return ("ssh", *user, *port, "--", address.hostname, *remote)
