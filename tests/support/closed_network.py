"""An engine in a network of its own, where `docker.io` is a registry beside it that has `busybox`.

Programs that name `busybox`, run steps with a network and push to `localhost:5000`, as examples do, then work
on a machine without internet, and many engines side by side do not meet.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import platform
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import packages
from tests.support.engines import Engine
from tests.support.packages import Release
from tests.support.registry import running_registry

REGISTRY = "localhost:5000"
_START_SECONDS = 20
_APPLETS = ("sh", "cat", "echo", "env", "false", "ls", "mkdir", "rm", "sleep", "test", "tr", "true", "uname")


@contextlib.contextmanager
def engine_with_registry(release: Release, folder: Path) -> Iterator[Engine]:
    """A running engine; `folder` keeps what its registry has."""
    with running_registry(folder) as seeding:
        _push(seeding.host, "library/busybox", "latest", _busybox_layer())
    mirrors = {"registry-mirrors": [f"http://{REGISTRY}"], "insecure-registries": [REGISTRY]}
    with Engine(release, own_network=True, config=mirrors) as engine:
        config = json.loads((folder / "config.yml").read_text())
        config["http"]["addr"] = "127.0.0.1:5000"
        (folder / "own.yml").write_text(json.dumps(config))
        with (folder / "own.log").open("wb") as log:
            command = engine.in_network(packages.registry(), "serve", folder / "own.yml")
            registry = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(engine)
            yield engine
        finally:
            registry.terminate()
            registry.wait()


def _wait_for(engine: Engine) -> None:
    probe = engine.in_network("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000")
    deadline = time.monotonic() + _START_SECONDS
    while subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError("the registry does not answer")
        time.sleep(0.05)


def _busybox_layer() -> bytes:
    """A shell and what the examples call, as one archive."""
    data = packages.busybox().read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("bin", "etc", "tmp"):
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(member)
        member = tarfile.TarInfo("bin/busybox")
        member.mode, member.size = 0o755, len(data)
        tar.addfile(member, io.BytesIO(data))
        for name in _APPLETS:
            member = tarfile.TarInfo(f"bin/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(member)
    return archive.getvalue()


def _push(host: str, name: str, tag: str, layer: bytes) -> None:
    """Put an image of one layer into an open registry (OCI distribution specification)."""
    packed = gzip.compress(layer, mtime=0)
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            "history": [{"created_by": "busybox"}],
        }
    ).encode()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": _descriptor("application/vnd.docker.container.image.v1+json", config),
            "layers": [_descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", packed)],
        }
    ).encode()
    connection = http.client.HTTPConnection(host, timeout=20)
    for blob in (packed, config):
        connection.request("POST", f"/v2/{name}/blobs/uploads/")
        place = _answered(connection, 202).getheader("Location") or ""
        path = place.removeprefix(f"http://{host}")
        connection.request("PUT", f"{path}{'&' if '?' in path else '?'}digest={_digest(blob)}", body=blob)
        _answered(connection, 201)
    connection.request("PUT", f"/v2/{name}/manifests/{tag}", body=manifest, headers={"Content-Type": kind})
    _answered(connection, 201)
    connection.close()


def _answered(connection: http.client.HTTPConnection, status: int) -> http.client.HTTPResponse:
    response = connection.getresponse()
    body = response.read()
    if response.status != status:
        raise RuntimeError(f"the registry says {response.status}: {body!r}")
    return response


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptor(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(data), "size": len(data)}
