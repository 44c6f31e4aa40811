"""Real Docker Engines, each under a private root: started, spoken to on a socket, and gone without a trace.

An engine runs as the first process of its own pid namespace and in its own mount namespace. Whatever becomes
of it (or of the test run: it dies with its parent), the kernel then ends what it started and drops what it
mounted.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.packages import Release

_START_SECONDS = 60
_STOP_SECONDS = 20
_GONE_SECONDS = 5

# dockerd and containerd keep a few things at fixed places (/etc/docker/key.json, /opt/containerd,
# /run/docker/plugins), and would use the system's containerd. In here they see an empty /run, and what they
# write to /etc and /opt is dropped.
_SECLUDED = """
set -e
if [ "$OWN_NETWORK" ]; then ip link set lo up; fi
mount --no-mtab -t tmpfs private /run
for top in etc opt; do
  mkdir -p /run/$top/upper /run/$top/work
  mount --no-mtab -t overlay -o lowerdir=/$top,upperdir=/run/$top/upper,workdir=/run/$top/work private /$top
done
exec "$@"
"""


class Engine:
    """One running dockerd; a context manager."""

    def __init__(
        self,
        release: Release,
        *,
        parent: Path = Path("/tmp"),
        own_network: bool = False,
        config: Mapping[str, object] | None = None,
    ) -> None:
        """`parent` is where its folder is made; its path must be short, for there are unix sockets in it.

        With `own_network` it has a network namespace in which steps have a network, and nothing else is there
        but what `in_network` starts. `config` is added to daemon.json.
        """
        self._own_network = own_network
        self._config = {**release.config, **(config or {})}
        if os.geteuid() != 0:
            raise UnavailableError(f"starting Docker Engine {release.name} needs root")
        self.release = release
        self.buildkit = release.buildkit
        self.busybox = packages.busybox()
        self._programs = packages.engine(release)
        self._process: subprocess.Popen[bytes] | None = None
        self._namespace = ""
        self._namespace_held = -1  # open, lest the kernel give its number to another one
        self.root = Path(tempfile.mkdtemp(prefix="engine-", dir=parent))
        self.socket = self.root / "docker.sock"

    def start(self) -> None:
        """Return once the engine answers on its socket."""
        config = self.root / "daemon.json"
        config.write_text(json.dumps(self._config))
        environment = {
            "PATH": f"{self._programs.path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LD_LIBRARY_PATH": self._programs.library_path,
            "HOME": str(self.root),
            "TMPDIR": str(self.root),
            "OWN_NETWORK": "1" if self._own_network else "",
        }
        dockerd: list[str | Path] = ["dockerd", "--config-file", config, "--pidfile", self.root / "pid"]
        dockerd += ["--host", f"unix://{self.socket}", "--group", "root"]
        dockerd += ["--data-root", self.root / "data", "--exec-root", self.root / "exec"]
        if not self._own_network:
            dockerd += ["--bridge=none"]
        dockerd += ["--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        dockerd += ["--ip-masq=false", "--userland-proxy=false"]
        dockerd += ["--cgroup-parent", f"/{self.root.name}", "--exec-opt", "native.cgroupdriver=cgroupfs"]
        alone = ["setpriv", "--pdeathsig", "KILL"]
        alone += ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        alone += ["--net"] if self._own_network else []
        alone += ["sh", "-c", _SECLUDED, "sh"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*alone, *dockerd],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C on the tests is theirs to handle
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                what = (
                    f"ended with {ended}"
                    if ended is not None
                    else f"does not answer after {_START_SECONDS} s"
                )
                message = f"dockerd {self.release.name} {what}; its last lines:\n{self.last_lines()}"
                self.stop()
                raise RuntimeError(message)
            time.sleep(0.05)
        child = _children(self._process.pid)[0]
        self._namespace = _namespace(child)
        self._let_go()
        self._namespace_held = os.open(f"/proc/{child}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def in_network(self, *command: str | Path) -> list[str | Path]:
        """A command line that runs a program in the engine's own network."""
        assert self._process is not None
        return ["nsenter", f"--net=/proc/{_children(self._process.pid)[0]}/ns/net", *command]

    @property
    def log(self) -> Path:
        """Everything the engine has said."""
        return self.root / "log"

    @property
    def version(self) -> str:
        """The engine's own version, from its API."""
        answer = self.get("/version")
        return str(json.loads(answer)["Version"])

    def get(self, path: str) -> bytes:
        """The body of one GET of the Engine API."""
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = self.connect()
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A fresh connection to the API socket."""
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(10)
        try:
            stream.connect(str(self.socket))
        except BaseException:
            stream.close()
            raise
        return stream

    def last_lines(self, count: int = 20) -> str:
        """The end of the log, for messages."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def kill(self) -> None:
        """End dockerd and everything it started at once, as a crash would."""
        if self._process is not None and self._process.poll() is None:
            for pid in _children(self._process.pid) or [self._process.pid]:
                os.kill(pid, signal.SIGKILL)  # the namespace's first process takes all others with it
            self._process.wait()  # which ends when they have

    def pause(self) -> None:
        """Stop dockerd where it stands: it keeps its sockets and answers nobody."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in _children(self._process.pid):
            os.kill(pid, number)

    def stop(self) -> None:
        """End the engine, politely at first, and remove what it had; raises if anything of it is left."""
        process = self._process
        if process is not None and process.poll() is None:
            for child in _children(process.pid):
                os.kill(child, signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None
        # Version 1 of cgroups has a hierarchy for each controller.
        hierarchies = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")]
        for hierarchy in hierarchies:
            _remove_cgroup(hierarchy / self.root.name)
        shutil.rmtree(self.root)
        deadline = time.monotonic() + _GONE_SECONDS
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.05)  # a namespace's last processes go when the kernel gets to them
        self._let_go()
        if left:
            raise RuntimeError(
                f"Docker Engine {self.release.name} was stopped, but this is left: {', '.join(left)}"
            )

    def processes(self) -> list[int]:
        """dockerd and everything that it started and that still runs."""
        if not self._namespace:
            return []
        every = [int(process.name) for process in Path("/proc").glob("[0-9]*")]
        return [pid for pid in every if _namespace(pid) == self._namespace]

    def _left(self) -> list[str]:
        left = [f"process {pid}" for pid in self.processes()]
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        return left + [f"mount {line}" for line in mounts if str(self.root) in line]

    def _let_go(self) -> None:
        held, self._namespace_held = self._namespace_held, -1
        if held >= 0:
            os.close(held)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            return self.get("/_ping") == b"OK"
        except (OSError, http.client.HTTPException):
            return False


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _namespace(pid: int | str) -> str:
    """The pid namespace a process is in; empty for one that has ended or may not be looked at."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _remove_cgroup(group: Path) -> None:
    """Remove a group and the groups in it; rmdir is the kernel's only way."""
    for folder, _, _ in os.walk(group, topdown=False):
        os.rmdir(folder)
