"""Which daemons an address stands for: lists, pods of a kubectl that records its argv, a name server."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from buildctl.errors import ConnectError, UsageError
from buildctl.model.address import parse_address
from buildctl.transport.pool.members import find_members

KUBECTL = """#!{python}
import json, os, sys
folder = os.path.dirname(__file__)
with open(folder + "/argv", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
what = next(word for word in sys.argv if "/" in word or word == "pods") if "get" in sys.argv else ""
path = folder + "/" + sys.argv[sys.argv.index("get") + 1].replace("/", "-") + ".json"
if not os.path.exists(path):
    sys.exit("Error from server (NotFound): " + path)
sys.stdout.write(open(path).read())
"""


class Kubectl:
    """An executable of that name, which answers from files in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(KUBECTL.replace("{python}", sys.executable))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.environ = {"PATH": str(folder)}

    def answer(self, name: str, value: object) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(value))

    def pods(self, **ready: object) -> None:
        self.answer("pods", {"items": [pod(name, state) for name, state in ready.items()]})

    @property
    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "argv").read_text().splitlines()]


def pod(name: str, state: object) -> dict[str, Any]:
    metadata = {"name": name} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if state == "leaving" else {})
    ready = "True" if state in ("ready", "leaving") else "False"
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    return Kubectl(tmp_path)


async def names(address: str, environ: dict[str, str] | None = None) -> list[str]:
    return [one.text for one in await find_members(parse_address(address), environ or {})]


async def test_a_list() -> None:
    assert await names("tcp://a:1,docker:///s,tcp://a:1") == ["tcp://a:1", "docker:///s"]


async def test_a_comma_in_a_path_is_no_list() -> None:
    assert not parse_address("unix:///a,b").is_fleet
    assert [one.text for one in parse_address("unix:///a,b,tcp://c:1").members] == [
        "unix:///a,b",
        "tcp://c:1",
    ]


async def test_pods_by_labels_come_and_go(kubectl: Kubectl) -> None:
    kubectl.pods(a="ready", b="starting", c="leaving")
    address = "kube://arn:aws:eks:eu/x/builds?selector=app=buildkitd&container=main"
    found = await find_members(parse_address(address), kubectl.environ)
    assert [one.hostname for one in found] == ["a"]
    assert found[0].scheme == "kube-pod"
    assert dict(found[0].query) == {"context": "arn:aws:eks:eu/x", "namespace": "builds", "container": "main"}
    assert kubectl.asked == [
        [
            "--context=arn:aws:eks:eu/x",
            "--namespace=builds",
            "get",
            "pods",
            "--selector=app=buildkitd",
            "--output=json",
        ]
    ]
    kubectl.pods(b="ready", d="ready")
    assert [one.hostname for one in await find_members(parse_address(address), kubectl.environ)] == ["b", "d"]


@pytest.mark.parametrize(
    ("kind", "selector", "asked"),
    [
        ("service", {"app": "b", "a": "1"}, "a=1,app=b"),
        ("statefulset", {"matchLabels": {"app": "b"}}, "app=b"),
        (
            "deployment",
            {
                "matchLabels": {"app": "b"},
                "matchExpressions": [
                    {"key": "x", "operator": "In", "values": ["1", "2"]},
                    {"key": "y", "operator": "DoesNotExist"},
                ],
            },
            "app=b,x in (1,2),!y",
        ),
    ],
)
async def test_pods_of_an_owner(kubectl: Kubectl, kind: str, selector: object, asked: str) -> None:
    kubectl.answer(f"{kind}-buildkitd", {"spec": {"selector": selector}})
    kubectl.pods(a="ready")
    assert await names(f"kube://ci/{kind}/buildkitd", kubectl.environ) == ["kube-pod://a?namespace=ci"]
    assert kubectl.asked[0] == ["--context=", "--namespace=ci", "get", f"{kind}/buildkitd", "--output=json"]
    assert f"--selector={asked}" in kubectl.asked[1]


async def test_one_pod_needs_no_kubectl() -> None:
    assert await names("kube://ci/pod/p") == ["kube-pod://p?namespace=ci"]


async def test_what_kubectl_says_is_told(kubectl: Kubectl) -> None:
    with pytest.raises(ConnectError, match=r"has exited with status 1: Error from server \(NotFound\)"):
        await names("kube://ci/service/x", kubectl.environ)
    kubectl.pods(a="starting")
    with pytest.raises(ConnectError, match="no pod is ready"):
        await names("kube://ci?selector=app", kubectl.environ)
    with pytest.raises(ConnectError, match="kubectl: No such file"):
        await names("kube://ci?selector=app", {"PATH": "/nowhere"})


async def test_others_of_a_list_are_left(kubectl: Kubectl) -> None:
    assert await names("kube://ci/service/x,tcp://a:1", kubectl.environ) == ["tcp://a:1"]


@pytest.mark.parametrize(
    "text",
    ["kube://", "kube://ci", "kube://ci/job/x", "kube://c/ci/pod/", "kube://CI?selector=a", "kube://ci/pod/x?port=1",
     "dns+tcp://", "dns+tcp://name", "dns+tcp://_s._tcp.name:1", "dns+tcp://name:1/path"],
)  # fmt: skip
def test_what_cannot_be_meant(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


async def test_all_addresses_of_a_host() -> None:
    (found,) = await find_members(parse_address("dns+tcp://127.0.0.1:9"), {})
    assert (found.text, found.hostname) == ("tcp://127.0.0.1:9", "127.0.0.1")


class _Names(asyncio.DatagramProtocol):
    """A name server for a few records."""

    def __init__(self, records: dict[tuple[str, str], list[str]]) -> None:
        self._records = records

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, place: Any) -> None:
        import dns.message
        import dns.rdatatype
        import dns.rrset

        query = dns.message.from_wire(data)
        question = query.question[0]
        answer = dns.message.make_response(query)
        kind = dns.rdatatype.to_text(question.rdtype)
        if texts := self._records.get((question.name.to_text(), kind)):
            answer.answer.append(dns.rrset.from_text(question.name, 1, "IN", kind, *texts))
        self._transport.sendto(answer.to_wire(), place)


async def test_a_name_server_of_ones_own() -> None:
    pytest.importorskip("dns")
    records = {
        ("_b._tcp.x.", "SRV"): ["0 0 1234 one.x.", "0 0 1235 two.x.", "9 0 1 spare.x."],
        ("one.x.", "A"): ["127.0.0.1", "127.0.0.2"],
        ("two.x.", "AAAA"): ["::1"],
    }
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Names(records), ("127.0.0.1", 0))
    server = "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])
    try:
        found = await find_members(parse_address(f"dns+tcp://_b._tcp.x?server={server}"), {})
        assert [(one.text, one.hostname) for one in found] == [
            ("tcp://127.0.0.1:1234", "one.x"),
            ("tcp://127.0.0.2:1234", "one.x"),
            ("tcp://[::1]:1235", "two.x"),
        ]
        assert await names(f"dns+tcp://two.x:7?server={server}") == ["tcp://[::1]:7"]
        with pytest.raises(ConnectError, match="lookup _c"):
            await names(f"dns+tcp://_c._tcp.x?server={server}")
    finally:
        transport.close()
