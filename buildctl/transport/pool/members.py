"""Which daemons an address stands for: those it lists, pods that kubectl finds, what a name server says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from buildctl.errors import ConnectError
from buildctl.model.address import Address, parse_address
from buildctl.transport.dial import join_host_port, resolve

_KUBECTL_SECONDS = 20.0
_MOST_BYTES = 64 * 1024 * 1024


async def find_members(address: Address, environ: Mapping[str, str]) -> tuple[Address, ...]:
    """The addresses of single daemons that `address` stands for, each once, at least one.

    Raises `ConnectError` where kubectl or the name server fails, or knows none; in a list others may be left.
    """
    match address.scheme:
        case "pool":
            asked = (find_members(one, environ) for one in address.members)
            found = await asyncio.gather(*asked, return_exceptions=True)
            failures = [one for one in found if isinstance(one, BaseException)]
            members = [member for one in found if not isinstance(one, BaseException) for member in one]
            if failures and (not members or not isinstance(failures[0], ConnectError)):
                raise failures[0]
        case "kube":
            members = await _pods(address, environ)
        case "dns+tcp":
            members = await _named(address)
        case _:
            members = [address]
    return tuple({member.text: member for member in members}.values())


async def _pods(address: Address, environ: Mapping[str, str]) -> list[Address]:
    query = address.query
    kind, selector = query["kind"], query.get("selector", "")
    if kind == "pod":
        return [_pod(address.hostname, query)]
    if not selector:
        owner = await _kubectl(query, environ, "get", f"{kind}/{address.hostname}")
        selector = _selector(kind, _dig(owner, "spec", "selector"))
        if not selector:
            raise ConnectError(f"{address.text}: the {kind} selects no pods")
    listed = await _kubectl(query, environ, "get", "pods", f"--selector={selector}")
    items = listed.get("items")
    pods = [pod for pod in (items if isinstance(items, list) else []) if _is_ready(pod)]
    if not pods:
        raise ConnectError(
            f"{address.text}: no pod is ready",
            hint=f"is one there? kubectl --namespace={query['namespace']} get pods --selector={selector}",
        )
    return [_pod(_dig(pod, "metadata", "name"), query) for pod in pods]


def _pod(name: str, query: Mapping[str, str]) -> Address:
    kept = {key: query[key] for key in ("context", "namespace", "container") if query.get(key)}
    return parse_address(f"kube-pod://{name}?{urlencode(kept)}")


def _dig(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _selector(kind: str, found: Any) -> str:
    """As `--selector` takes it: a service has labels alone, the others have expressions too."""
    if not isinstance(found, dict):
        return ""
    labels = found if kind == "service" else found.get("matchLabels") or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    for one in (found.get("matchExpressions") or ()) if kind != "service" else ():
        key, values = one.get("key"), ",".join(one.get("values") or ())
        match one.get("operator"):
            case "In" | "NotIn" as operator:
                terms.append(f"{key} {operator.lower()} ({values})")
            case "Exists":
                terms.append(f"{key}")
            case "DoesNotExist":
                terms.append(f"!{key}")
    return ",".join(terms)


def _is_ready(pod: Any) -> bool:
    """Whether it takes builds: one that is being deleted is draining."""
    if _dig(pod, "metadata", "deletionTimestamp") or not isinstance(_dig(pod, "metadata", "name"), str):
        return False
    conditions = _dig(pod, "status", "conditions") or ()
    return any(_dig(one, "type") == "Ready" and _dig(one, "status") == "True" for one in conditions)


async def _kubectl(query: Mapping[str, str], environ: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """What kubectl answers, as JSON."""
    argv = ["kubectl", f"--context={query['context']}", f"--namespace={query['namespace']}", *arguments]
    argv.append("--output=json")
    shown = " ".join(argv)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise ConnectError(
            f"find pods: kubectl: {error.strerror}", hint="install kubectl, or add it to PATH"
        ) from None
    try:
        async with asyncio.timeout(_KUBECTL_SECONDS):
            out, complaints = await process.communicate()
    except TimeoutError:
        raise ConnectError(
            f"find pods: command [{shown}] did not end in {_KUBECTL_SECONDS:.0f} s",
            hint="does the cluster answer? try that command by hand",
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = complaints.decode("utf-8", "replace").strip()[-4096:]
        raise ConnectError(
            f"find pods: command [{shown}] has exited with status {process.returncode}: {said}",
            hint=f"try that command by hand: {shown}",
        )
    try:
        answer = json.loads(out)
    except (ValueError, RecursionError):
        answer = None
    if len(out) > _MOST_BYTES or not isinstance(answer, dict):
        raise ConnectError(f"find pods: command [{shown}] gave no JSON object")
    return answer


async def _named(address: Address) -> list[Address]:
    server = address.query.get("server", "")
    if address.hostname.startswith("_"):
        from buildctl.transport.pool.nameserver import services

        targets: Sequence[tuple[str, int]] = await services(address.hostname, server)
    else:
        targets = [(address.hostname, int(address.port))]
    found: list[Address] = []
    for host, port in targets:
        if server:
            from buildctl.transport.pool.nameserver import hosts

            places = [(ip, port) for ip in await hosts(host, server)]
        else:
            places = [place for _, place in await resolve(join_host_port(host, port))]
        # The certificate is the name's, not the number's.
        found += [
            parse_address(f"tcp://{join_host_port(*place)}")._replace(
                hostname=host, host=join_host_port(host, port)
            )
            for place in places
        ]
    return found
