"""daemonless://: a throwaway daemon for one command, under a private root, gone with the command.

`buildkitd` where it is installed, else `dockerd`, whose BuildKit is reached as any Engine's. As root the
daemon is the first process of its own pid namespace and lives in its own mount namespace, so that the kernel
ends and unmounts whatever it started. What daemons write to fixed places (/etc/docker/key.json,
/opt/containerd, /run/runc) goes into overlays of that namespace and vanishes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO

from buildctl.errors import ConnectError
from buildctl.system.failure import errno_text
from buildctl.transport import supervise
from buildctl.transport.dial import dial_unix
from buildctl.transport.stream import Dial

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_LAST_LINES = 8
_ROOT_LIMIT = 45  # dockerd's longest socket path below it has 58 bytes more; a system's limit is 103

# An overlay does not show the mounts below its lower folder, so /run comes without users' runtime folders.
# The system's containerd must not be seen: dockerd would use it instead of starting its own.
_SECLUDED = """
set -e
mkdir seclusion
mount -t tmpfs -o mode=700 buildctl seclusion
for top in etc opt run; do
  mkdir -p seclusion/$top/upper seclusion/$top/work /$top
  mount -t overlay -o lowerdir=/$top,upperdir=seclusion/$top/upper,workdir=seclusion/$top/work buildctl /$top
done
mkdir -p /run/containerd
mount -t tmpfs buildctl /run/containerd
exec "$@"
"""
_ALONE = ("setpriv", "--pdeathsig", "KILL")
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

_NO_NETWORK = (
    "this throwaway dockerd has no network for RUN steps: "
    "a build that has them needs --opt force-network-mode=none"
)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running throwaway daemon."""

    name: str
    socket: str
    is_engine: bool
    """Whether the socket is a Docker Engine's."""
    notice: str = ""
    """What builds on it cannot do."""


def daemon_program(environ: Mapping[str, str]) -> str:
    """The daemon that would be started: `buildkitd`, `dockerd`, or empty where neither is installed."""
    return next((name for name in ("buildkitd", "dockerd") if _which(name, environ)), "")


@contextlib.asynccontextmanager
async def open_daemon(environ: Mapping[str, str]) -> AsyncIterator[Daemon]:
    """A daemon that runs while the block does; raises ConnectError where none can be started."""
    name = daemon_program(environ)
    _check(name, environ)
    parent = _data_root(environ)
    try:
        root = tempfile.mkdtemp(prefix="buildctl-", dir=parent)
    except OSError as error:
        reason = errno_text(error)
        raise ConnectError(
            f"no throwaway daemon can be started in {parent}: {reason}",
            hint="name another folder with TMPDIR",
        ) from None
    cgroup = os.path.basename(root) if name == "dockerd" else ""
    daemon = Daemon(
        name,
        os.path.join(root, f"{name}.sock"),
        is_engine=name == "dockerd",
        notice=_NO_NETWORK if name == "dockerd" else "",
    )
    with tempfile.TemporaryFile() as log:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", supervise.__file__, root, cgroup, *_command(daemon, root, environ)),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**environ, "PATH": _path(environ), "TMPDIR": root},
                umask=0o022,  # what it unpacks and builds is not to depend on the caller's
                start_new_session=True,  # a Ctrl-C is the command's to handle
            )
        except BaseException:
            shutil.rmtree(root)
            raise
        try:
            await _wait_for_start(process, daemon, log)
            yield daemon
        finally:
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)


def _check(name: str, environ: Mapping[str, str]) -> None:
    """Say plainly what is missing for a throwaway daemon."""
    if not name:
        raise ConnectError(
            "no throwaway daemon can be started: neither buildkitd nor dockerd is on PATH",
            hint="install one of them, or give the address of a running daemon",
        )
    is_root = os.geteuid() == 0
    if not is_root and name == "dockerd":
        raise ConnectError(
            "a throwaway dockerd needs root", hint="run the command with sudo, or install buildkitd"
        )
    needed: tuple[str, ...] = (_ALONE[0], _NAMESPACES[0], "mount") if is_root else ("rootlesskit",)
    needed += ("containerd", "runc") if name == "dockerd" else ()
    missing = [program for program in needed if not _which(program, environ)]
    if missing:
        raise ConnectError(
            f"a throwaway {name} needs {' and '.join(missing)} on PATH",
            hint=f"install {' and '.join(missing)}",
        )


def _command(daemon: Daemon, root: str, environ: Mapping[str, str]) -> list[str]:
    data = os.path.join(root, "data")
    if daemon.name == "buildkitd":
        command = ["buildkitd", "--addr", f"unix://{daemon.socket}", "--root", data]
    else:
        config = os.path.join(root, "daemon.json")
        with open(config, "w") as file:  # the system's own would contradict the flags
            file.write("{}\n")
        command = ["dockerd", "--host", f"unix://{daemon.socket}", "--group", str(os.getegid())]
        command += ["--config-file", config, "--pidfile", os.path.join(root, "pid")]
        command += ["--data-root", data, "--exec-root", os.path.join(root, "exec")]
        command += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        command += ["--ip-masq=false", "--userland-proxy=false"]
        command += ["--cgroup-parent", f"/{os.path.basename(root)}"]
        command += ["--exec-opt", "native.cgroupdriver=cgroupfs"]
    if os.geteuid() == 0:
        return [*_ALONE, *_NAMESPACES, "sh", "-c", _SECLUDED, "sh", *command]
    return ["rootlesskit", "--state-dir", os.path.join(root, "rootlesskit"), *command]


async def _wait_for_start(process: asyncio.subprocess.Process, daemon: Daemon, log: IO[bytes]) -> None:
    """Return once the daemon accepts connections."""
    dial: Dial = partial(dial_unix, daemon.socket)
    ended = asyncio.ensure_future(process.wait())
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not ended.done():
                with contextlib.suppress(ConnectError):
                    await (await dial()).aclose()
                    return
                await asyncio.wait((ended,), timeout=0.02)
        what = f"ended while starting (exit status {process.returncode})"
    except TimeoutError:
        what = f"did not start within {_START_SECONDS:.0f} s"
    finally:
        ended.cancel()
    lines = _last_lines(log)
    raise ConnectError(
        f"the throwaway {daemon.name} {what}: {lines[-1] if lines else 'it said nothing'}",
        hint="\n".join(("its last lines were:", *lines)) if lines[1:] else "",
    )


def _last_lines(log: IO[bytes]) -> list[str]:
    log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
    return [line for line in log.read(8192).decode(errors="replace").splitlines() if line.strip()][
        -_LAST_LINES:
    ]


def _data_root(environ: Mapping[str, str]) -> str:
    """Where images of any size may lie: TMPDIR, else /var/tmp; not where an overlay would hide it."""
    root = environ.get("TMPDIR", "")
    hidden = root.startswith(("/etc/", "/opt/", "/run/"))
    return root if root.startswith("/") and not hidden and len(root) <= _ROOT_LIMIT else "/var/tmp"  # noqa: S108 - mkdtemp


def _path(environ: Mapping[str, str]) -> str:
    """PATH, and where daemons are installed even if a user's PATH leaves it out."""
    return ":".join(filter(None, (environ.get("PATH"), "/usr/local/sbin", "/usr/sbin", "/sbin")))


def _which(program: str, environ: Mapping[str, str]) -> str | None:
    return shutil.which(program, path=_path(environ))
