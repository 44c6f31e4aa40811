"""The keys of an SSH host, for `git`, which records them and does not dial on its own."""

from __future__ import annotations

from buildctl.errors import ConnectError
from buildctl.llb import arguments

_SECONDS = 10


async def scan_ssh_host(host: str, *, port: int = 22) -> list[str]:
    """The lines that a known_hosts file would have for the host, for `known_ssh_hosts` of `git`.

    They are what the host, or whoever answers in its place, says of itself: compare them with what you
    know. Asks with OpenSSH's ssh-keyscan, for ten seconds at most. Raises `ConnectError` where there is no
    answer or no such program, and `UsageError`.
    """
    import asyncio
    import subprocess

    name = arguments.text("host", host)
    number = arguments.number("port", port, range(1, 1 << 16))
    # What begins with a hyphen would be an option.
    command = ("ssh-keyscan", "-T", str(_SECONDS), "-p", str(number), "--", name)
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise ConnectError("ssh-keyscan was not found", hint="install OpenSSH's client") from None
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    lines = [line for line in output.decode(errors="replace").splitlines() if line and line[0] != "#"]
    if not lines:
        raise ConnectError(f"no SSH host answered at {name}:{number}")
    return sorted(lines)
