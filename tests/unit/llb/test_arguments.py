"""What is wrong is refused where it is written, with the argument's name."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import pytest

from buildctl import llb

B: Any = llb.image("busybox")
ANY: Any = llb
"""Type checkers refuse what is tried here, too."""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ANY.image(b"busybox"), "ref must be str, not bytes"),
        (lambda: ANY.image("b", layer_limit=True), "layer_limit must be int, not bool"),
        (lambda: ANY.image("b", internal=1), "internal must be bool, not int"),
        (lambda: ANY.image("b", platform=3), "platform must be a Platform or str, not int"),
        (lambda: ANY.image("b", location="x"), "location must be a Location, not str"),
        (lambda: ANY.image("b", description={"a": 1}), r"description\['a'\] must be str, not int"),
        (lambda: ANY.image("b", colour="red"), "unexpected keyword argument 'colour'"),
        (lambda: B.run("echo hi"), "args must be a sequence of str, not str"),
        (lambda: B.run(["echo", 3]), r"args\[1\] must be str, not int"),
        (lambda: B.run(["x"], env=["A=1"]), "env must be a mapping of str to str, not list"),
        (lambda: B.run(["x"], mounts=["/a"]), r"mounts\[0\] must be a Mount, not str"),
        (lambda: B.run(["x"], secrets=[ANY.ssh()]), r"secrets\[0\] must be a Secret, not SSH"),
        (lambda: B.run(["x"], valid_exit_codes=[True]), "valid_exit_codes must be int, not bool"),
        (lambda: B.run(["x"], proxy={}), "proxy must be a ProxyEnv, not dict"),
        (lambda: ANY.mount("/a", "busybox"), "source must be a State, not str"),
        (lambda: ANY.mkfile("/a", 0o644, 3), "data must be bytes or str, not int"),
        (lambda: ANY.mkfile("/a", "644", b""), "mode must be int, not str"),
        (lambda: ANY.mkdir("/a", owner=5), "owner must be a sequence of int, not int"),
        (lambda: ANY.copy("ctx", "/a", "/b"), "source must be a State or FileAction, not str"),
        (lambda: B.file("x"), "actions must be a FileAction, not str"),
        (lambda: B.env("A", 1), "value must be str, not int"),
        (lambda: B.reset(None), "other must be a State, not NoneType"),
        (lambda: ANY.merge(B, "x"), r"states\[1\] must be a State, not str"),
        (lambda: ANY.local("c", include={"a"}), "include must be a sequence of str, not set"),
        (lambda: B.marshal(caps="exec"), "caps must be a collection of str, not str"),
        (lambda: B.with_marshal_defaults(os="linux"), "unexpected keyword argument 'os'"),
    ],
)
def test_a_wrong_type_is_a_type_error_with_the_name(call: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: B.run([]), "arguments are required"),
        (lambda: B.file(None), "action is required"),
        (lambda: B.network("bridge"), "mode is 'bridge', which is not one of"),
        (lambda: B.run(["\ud800"]), "string field contains invalid UTF-8"),
        (lambda: B.extra_host("h", "1.2.3"), "ip is '1.2.3', which is not an IP address"),
        (lambda: B.run(["x"], valid_exit_codes=[1 << 31]), "which is not between"),
        (lambda: ANY.secret("/s", uid=-1), "uid is -1, which is not between 0 and 4294967295"),
        (lambda: ANY.mkdir("/a", created=datetime(2020, 1, 1)), "datetime without a time zone"),
        (lambda: ANY.copy(ANY.mkdir("/a"), "/a", "/b"), "have to be done to a state"),
        (lambda: ANY.image("b", platform="no such/thing"), "is not a platform"),
        (lambda: ANY.image("b", resolve_digest=True), "resolve_digest needs a resolver"),
        (lambda: B.run(["x"]).output("/m"), "nothing is mounted at /m"),
        (lambda: B.run(["x"], mounts=[ANY.cache("/c", "k")]).output("/c"), "invalid mount: /c"),
        (lambda: B.run(["x"], mounts=[ANY.mount("/a", B)] * 13), "two of 14 mounts have the same target"),
        (lambda: ANY.scratch().build_op(), "no definition to build in an empty state"),
        (lambda: B.with_image_config(b"{"), "configuration is not JSON"),
        (lambda: ANY.Definition.from_bytes(b"\xff"), "unexpected EOF"),
    ],
)
def test_a_value_that_cannot_be_meant_is_a_usage_error(call: Callable[[], object], words: str) -> None:
    with pytest.raises(llb.UsageError, match=words):
        call()


def test_paths_and_times_may_be_objects() -> None:
    path = PurePosixPath("/a")
    when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    first = B.dir(path).file(llb.mkdir(path, created=when))
    second = B.dir("/a").file(llb.mkdir("/a", created=1577934245 * 10**9))
    assert first.marshal() == second.marshal()


def test_values_can_be_asked_for() -> None:
    state = (
        B.env("A", "1").envs({"B": "2"}, A="3").dir("/x").dir("y").user("u").hostname("h").platform("arm64")
    )
    assert state.get_env() == {"B": "2", "A": "3"}
    assert list(state.get_env()) == ["B", "A"]
    assert (state.get_dir(), state.get_user(), state.get_hostname()) == ("/x/y", "u", "h")
    assert state.get_platform() == llb.Platform("linux", "arm64")
    assert (state.get_network(), state.get_security()) == ("sandbox", "sandbox")
    assert state.network("host").security("insecure").get_network() == "host"
    assert B.get_env() == {}, "states do not change"


def test_a_function_is_called_once_and_what_it_gives_is_known_then() -> None:
    calls: list[llb.MarshalOptions] = []

    def late(state: llb.State, options: llb.MarshalOptions) -> llb.State:
        calls.append(options)
        return state.env("LATE", options.platform.architecture)

    state = B.async_(late).env("A", "1")
    with pytest.raises(llb.AsyncStateError):
        state.get_env()
    first = state.run(["x"]).marshal(platform="linux/arm64", local_unique_id="u")
    state.run(["x"]).marshal(platform="linux/amd64")
    assert len(calls) == 1
    assert state.get_env() == {"LATE": "arm64", "A": "1"}
    expected = B.env("LATE", "arm64").env("A", "1").run(["x"])
    assert first == expected.marshal(platform="linux/arm64", local_unique_id="u")


def test_a_function_that_has_to_be_awaited_is_awaited() -> None:
    async def late(state: llb.State) -> llb.State:
        await asyncio.sleep(0)
        return state.dir("/late")

    async def resolve(ref: str, **_: Any) -> tuple[str, str, bytes]:
        await asyncio.sleep(0)
        return ref, "", b'{"config": {"Env": ["A=1"]}}'

    state = llb.merge(B.async_(late), llb.image("x", resolver=resolve)).run(["x"])
    with pytest.raises(llb.AsyncStateError, match="before its function has been awaited"):
        state.marshal()
    found = asyncio.run(state.marshal_async(platform="linux/amd64"))
    assert found == llb.merge(B.dir("/late"), llb.image("x")).run(["x"]).marshal(platform="linux/amd64")


def test_a_function_s_error_comes_out_and_is_kept() -> None:
    calls = []

    def late(state: llb.State) -> llb.State:
        calls.append(state)
        raise KeyError("no")

    state = B.async_(late)
    for _ in range(2):
        with pytest.raises(KeyError, match="no"):
            state.marshal()
    assert len(calls) == 1
    with pytest.raises(TypeError, match="must give a State, not int"):
        B.async_(lambda _: 3).marshal()


def test_a_state_of_its_own_result_is_refused() -> None:
    states: list[llb.State] = []
    states.append(B.async_(lambda _: states[0]))
    with pytest.raises(llb.UsageError, match="its own result"):
        states[0].marshal()


def test_importing_loads_protobuf_and_nothing_else_of_weight() -> None:
    script = "import sys; from buildctl import llb; llb.image('a').marshal(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    top = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert "google" in top
    assert not top & {"grpc", "click", "rich", "humanize", "nacl", "hpack", "asyncio", "ssl", "urllib3"}


def test_help_reads_well() -> None:
    script = "from buildctl import llb; help(llb.State.run)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "Run a command, whose first word is the program" in shown
    assert "valid_exit_codes" in shown
    assert all(getattr(llb, name).__doc__ for name in llb.__all__ if name != "BUILDKIT")
