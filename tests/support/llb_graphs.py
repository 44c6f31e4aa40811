"""Random build graphs, as programs in JSON that more than one language can run.

A program is a list of steps, each of which makes a state from earlier ones, which it names by their place
in the list. `random_program` makes one from a `random.Random`, `build` runs it with `buildctl.llb`.
Everything is valid, so that what is compared is what the graph becomes.
"""

from __future__ import annotations

import json
import random
from typing import Any

from buildctl import llb

Program = dict[str, Any]

_TEXTS = [
    "",
    "a",
    "b c",
    "x=y",
    "ü",
    "日本",
    "/",
    "..",
    "-",
    "a" * 200,
    "\u2028<&>",
    "\x00",
    "$HOME",
    "é",
    "e\u0301",
]
_WORDS = ["a", "b", "bin", "etc", "src", "x.y", "ü", "..", ".", "a b"]
_NAMES = ["a", "b", "app", "team/app", "localhost:5000/x", "ghcr.io/a/b", "index.docker.io/library/c"]
_DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_PLATFORMS = [
    ["linux", "amd64", "", "", []],
    ["linux", "arm64", "v8", "", []],
    ["Linux", "x86_64", "v1", "", []],
    ["linux", "arm", "", "", []],
    ["linux", "arm", "v6", "", []],
    ["linux", "aarch64", "9", "", []],
    ["windows", "amd64", "", "10.0.17763", ["win32k", "b"]],
    ["darwin", "arm64", "", "", []],
    ["macos", "armhf", "", "", []],
    ["linux", "i386", "x", "", []],
]
_GIT = [
    "https://github.com/moby/buildkit.git",
    "github.com/moby/buildkit.git",
    "http://host:8080//a/../b%20c.git/?q=1#frag",
    "https://user:p%40ss@h/x.git",
    "HTTPS://GitHub.com/A/B",
    "ftp://h/x",
    "git@github.com:moby/buildkit.git?ref=x#frag",
    "ssh://git@h:22/x/y.git",
    "git://h/x.git",
    "",
    "https://h/ü%2F?",
    "./relative",
    "https://h/a b",
    "https://[::1]:80/x",
]
_IMAGE_CONFIGS = [
    '{"architecture":"arm64","os":"linux","variant":"v8","config":{"Env":["PATH=/bin","E=","N","=x"],"WorkingDir":"/srv"}}',
    '{"config":{"WorkingDir":"rel/.."}}',
    "{}",
    '{"OS":"linux","Architecture":"arm","Config":{"env":["A=1=2","A=3"],"workingdir":"/w/"}}',
]
_CAPS: list[list[str] | None] = [None, None, [], ["exec.meta.setsdefaultpath"], ["file.base"]]
_VALUES = [
    *("env", "env", "dir", "dir", "user", "hostname", "platform", "network", "security", "extra_host"),
    *("ulimit", "cgroup_parent", "image_config", "reset", "async"),
]
_IPS = ["1.2.3.4", "::1", "::ffff:1.2.3.4", "2001:DB8:0:0:1:0:0:1"]


class _Maker:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.steps: list[dict[str, Any]] = [{"op": "scratch"}, {"op": "image", "ref": "busybox"}]
        self.execs: list[int] = []
        self.empty = {0}
        self.marshal = self._marshal()
        """Of all calls: Go's graph remembers some of the first, where the second says otherwise."""
        self.maps = [self._map() for _ in range(rng.randrange(4))]

    def program(self, size: int) -> Program:
        for _ in range(size):
            self.steps.append(self._step())
        program: Program = {
            "steps": self.steps,
            "maps": self.maps,
            "marshal": self.marshal,
            "result": len(self.steps) - 1 if self.rng.random() < 0.9 else self.rng.randrange(len(self.steps)),
        }
        if self.rng.random() < 0.1:
            program["defaults"] = self._marshal()
        return program

    def _step(self) -> dict[str, Any]:
        rng = self.rng
        kinds = {
            self._run: 10,
            self._file: 8,
            self._source: 7,
            self._value: 12,
            self._combine: 5,
            self._output: 4 if self.execs else 0,
            self._other: 2,
        }
        step = rng.choices(list(kinds), list(kinds.values()))[0]()
        if step["op"] == "run":
            self.execs.append(len(self.steps))
        if self._is_empty(step):
            self.empty.add(len(self.steps))
        return step

    def _is_empty(self, step: dict[str, Any]) -> bool:
        """Whether there is no result, which Go does not expect of what a function of a state gives."""
        match step["op"]:
            case (
                "image" | "local" | "git" | "http" | "oci_layout" | "image_blob" | "oci_layout_blob" | "file"
            ):
                return False
            case "passthrough" | "requires" | "build_op":
                return False
            case "merge":
                return self.empty.issuperset(step["states"])
            case "diff":
                return self.empty.issuperset((step["base"], step["other"]))
            case "run":
                return step["readonly"] and step["base"] in self.empty
            case "output":
                return self._output_is_empty(self.steps[step["base"]], step["target"])
        return step["base"] in self.empty

    def _output_is_empty(self, command: dict[str, Any], target: str) -> bool:
        if target == "/":
            return self._is_empty(command)
        mount = next(each for each in command["mounts"] if each["target"] == target)
        return mount["readonly"] and mount["source"] in self.empty

    def _state(self) -> int:
        """An earlier state, most often a late one, so that graphs are deep."""
        last = len(self.steps) - 1
        return (
            max(0, last - int(self.rng.expovariate(0.4)))
            if self.rng.random() < 0.7
            else self.rng.randint(0, last)
        )

    def _filled(self) -> int:
        return 1 if (state := self._state()) in self.empty else state

    def _maybe(self, make: Any, chance: float = 0.3) -> Any:
        return make() if self.rng.random() < chance else None

    def _text(self) -> str:
        return self.rng.choice(_TEXTS)

    def _texts(self, most: int = 3) -> list[str]:
        return [self._text() for _ in range(self.rng.randrange(most + 1))]

    def _path(self) -> str:
        parts = [self.rng.choice(_WORDS) for _ in range(self.rng.randrange(4))]
        return self.rng.choice(["", "/", "//"]) + "/".join(parts) + self.rng.choice(["", "/", "/."])

    def _target(self) -> str:
        return self.rng.choice(["/", "", "!"]) + "/".join(
            self.rng.choice(_WORDS) for _ in range(self.rng.randint(1, 3))
        )

    def _flag(self) -> bool:
        return self.rng.random() < 0.3

    def _number(self) -> int:
        return self.rng.choice([0, 1, 5, 1000, 1 << 31, -1, -(1 << 40), (1 << 63) - 1])

    def _mode(self) -> int:
        return self.rng.choice([0, 0o644, 0o755, 0o4755, 0o7777, 0o40000755])

    def _platform(self) -> Any:
        return self.rng.choice(_PLATFORMS)

    def _map(self) -> dict[str, Any]:
        made = {
            "filename": self.rng.choice(["build.py", "Dockerfile", ""]),
            "data": self.rng.choice(["", "line\n", "other\n"]),
            "language": self.rng.choice(["", "Python"]),
        }
        if made["filename"] == "Dockerfile":
            made["local"] = "dockerfile"
        return made

    def _constraints(self, step: dict[str, Any]) -> dict[str, Any]:
        rng = self.rng
        if rng.random() < 0.5:
            return step
        step["c"] = {
            "platform": self._maybe(self._platform),
            "name": self._maybe(self._text),
            "description": self._maybe(
                lambda: {rng.choice(["a", "b", "ab", "ü"]): self._text() for _ in range(2)}
            ),
            "no_cache": self._flag(),
            "export_cache": rng.choice([None, None, True, False]),
            "filters": self._texts(2),
            "group": self._maybe(lambda: [self._text(), self._text(), self._flag()]),
            "resources": self._maybe(self._resources, 0.15),
            "locations": [
                {
                    "map": rng.randrange(len(self.maps)),
                    "ranges": [[rng.randint(0, 9) for _ in range(4)] for _ in range(rng.randrange(3))],
                }
                for _ in range(rng.randrange(3) if self.maps else 0)
            ],
        }
        return step

    def _resources(self) -> list[Any]:
        unsigned = self.rng.choice([0, 7, (1 << 64) - 1])
        return [
            self._number(),
            self._number(),
            unsigned,
            unsigned,
            self._number(),
            self._text(),
            self._text(),
        ]

    def _marshal(self) -> dict[str, Any]:
        rng = self.rng
        return {
            "platform": rng.choice(_PLATFORMS) if self._flag() else ["linux", "amd64", "", "", []],
            "unique": rng.choice(["corpus", "u"]),
            "caps": rng.choice(_CAPS),
            "filters": self._texts(1) if self._flag() else [],
            "no_cache": rng.random() < 0.1,
            "description": self._maybe(lambda: {"all": self._text()} if self._flag() else {}, 0.15),
            "export_cache": rng.choice([None, None, None, True, False]),
            "group": self._maybe(lambda: [self._text(), self._text(), self._flag()], 0.1),
            "resources": self._maybe(self._resources, 0.1),
        }

    def _source(self) -> dict[str, Any]:
        rng = self.rng
        op = rng.choice(
            ["image", "image", "local", "local", "git", "http", "oci_layout", "image_blob", "oci_layout_blob"]
        )
        made: dict[str, Any] = {"op": op}
        file = {
            "filename": self._text(),
            "mode": self._maybe(self._mode),
            "uid": rng.choice([0, 0, 5, -1]),
            "gid": rng.choice([0, 7]),
        }
        match op:
            case "image":
                name = rng.choice(_NAMES) + rng.choice(["", ":1", f"@{_DIGEST}", f":t@{_DIGEST}"])
                made |= {
                    "ref": name,
                    "resolve_mode": rng.choice(["default", "pull", "local"]),
                    "internal": self._flag(),
                }
                made |= {
                    "layer_limit": self._maybe(self._number),
                    "checksum": self._maybe(lambda: _DIGEST) or "",
                }
                if rng.random() < 0.2:
                    made |= {"resolver": rng.choice(_IMAGE_CONFIGS), "resolve_digest": self._flag()}
            case "local":
                made |= {
                    "name": self._text(),
                    "include": self._texts(),
                    "exclude": self._texts(),
                    "follow": self._texts(1),
                }
                made |= {"hint": self._maybe(self._text) or "", "session": self._maybe(self._text) or ""}
                made |= {
                    "unique": self._maybe(self._text) or "",
                    "differ": rng.choice(["", "none", "metadata"]),
                }
                made |= {
                    "differ_required": self._flag(),
                    "metadata_only": rng.choice([None, None, [], ["a", "<"]]),
                }
            case "git":
                made |= {
                    "url": rng.choice(_GIT),
                    "ref": self._maybe(self._text) or "",
                    "subdir": self._maybe(self._path) or "",
                }
                made |= {
                    "fragment": self._maybe(lambda: f"{self._text()}:{self._path()}") or "",
                    "keep": self._flag(),
                }
                made |= {
                    "token": self._maybe(self._text),
                    "header": self._maybe(self._text),
                    "hosts": ["h k", "l m\n"][: rng.randint(1, 2)],
                }
                made |= {
                    "socket": self._maybe(self._text) or "",
                    "checksum": self._maybe(self._text) or "",
                    "skip": self._flag(),
                }
                made |= {
                    "mtime": rng.choice(["", "commit", "checkout"]),
                    "by_commit": self._flag(),
                    "checkout_bundle": self._flag(),
                }
                made |= {
                    "bundle": self._maybe(self._text),
                    "bundle_session": self._text(),
                    "bundle_store": self._text(),
                }
            case "http":
                made |= file | {
                    "url": "https://h/" + self._text(),
                    "checksum": self._maybe(lambda: _DIGEST) or "",
                }
                made |= {
                    "auth": self._maybe(self._text) or "",
                    "headers": self._maybe(lambda: [self._text(), self._text()]),
                }
                made |= {"pgp": self._maybe(lambda: [self._text(), self._text()])}
            case "oci_layout":
                made |= {
                    "ref": f"lay@{_DIGEST}",
                    "session": self._text(),
                    "store": self._text(),
                    "layer_limit": self._maybe(self._number),
                }
            case "image_blob":
                made |= file | {"ref": f"{rng.choice(_NAMES)}@{_DIGEST}"}
            case _:
                made |= file | {"ref": f"lay@{_DIGEST}", "session": self._text(), "store": self._text()}
        return self._constraints(made)

    def _value(self) -> dict[str, Any]:
        rng = self.rng
        base = self._state()
        op = rng.choice(_VALUES)
        made: dict[str, Any] = {"op": op, "base": base}
        match op:
            case "env":
                made |= {"key": rng.choice(["A", "B", "PATH", "SSH_AUTH_SOCK", "é"]), "value": self._text()}
            case "dir":
                made["value"] = self._path()
            case "platform":
                made["platform"] = self._platform()
            case "network":
                made["value"] = rng.choice(["sandbox", "host", "none"])
            case "security":
                made["value"] = rng.choice(["sandbox", "insecure"])
            case "extra_host":
                made |= {"key": self._text(), "value": rng.choice(_IPS)}
            case "ulimit":
                made["limit"] = ["nofile", self._number(), self._number()]
            case "image_config":
                made["value"] = rng.choice(_IMAGE_CONFIGS)
            case "reset":
                made["other"] = self._state()
            case "async":
                made["base"] = self._filled()
                made["value"] = self._text()
            case _:
                made["value"] = self._text()
        return made

    def _run(self) -> dict[str, Any]:
        rng = self.rng
        mounts = []
        for _ in range(rng.randrange(4)):
            kind = rng.choice(["mount", "mount", "mount", "cache", "tmpfs"])
            made: dict[str, Any] = {"kind": kind, "target": self._target()}
            if kind != "tmpfs":
                made |= {
                    "source": self._state(),
                    "readonly": self._flag(),
                    "path": self._maybe(self._path) or "",
                }
            if kind == "mount":
                made |= {"no_output": rng.random() < 0.15, "content": rng.choice([None, None, True, False])}
            elif kind == "cache":
                made |= {"id": rng.choice(["k", "ü"]), "sharing": rng.choice(["shared", "private", "locked"])}
                made["source"] = self._maybe(self._state)
            else:
                made["size"] = rng.choice([0, 100])
            mounts.append(made)
        secrets = [
            {
                "id": self._maybe(self._text),
                "target": self._text() if kind != "env" else None,
                "env": self._text() if kind != "file" else None,
                "optional": self._flag(),
                "uid": rng.choice([0, 3]),
                "gid": rng.choice([0, 4]),
                "mode": rng.choice([0o400, 0, 0o440]),
            }
            for kind in rng.choices(["file", "env", "both"], k=rng.choice([0, 0, 0, 1, 2]))
        ]
        ssh = [
            {
                "id": self._text(),
                "target": self._maybe(self._target) or "",
                "uid": 1,
                "gid": 2,
                "mode": 0o660,
                "optional": self._flag(),
            }
            for _ in range(rng.choice([0, 0, 0, 1, 2]))
        ]
        step: dict[str, Any] = {
            "op": "run",
            "base": self._state(),
            "args": [rng.choice(["sh", "x", "y"]), *self._texts()],
            "env": [[rng.choice(["A", "C", "PATH"]), self._text()] for _ in range(rng.choice([0, 0, 1]))],
            "cwd": self._maybe(self._path, 0.2),
            "network": rng.choice([None, None, "host", "none", "sandbox"]),
            "security": rng.choice([None, None, "insecure"]),
            "hosts": [[self._text(), rng.choice(_IPS)] for _ in range(rng.choice([0, 0, 1]))],
            "ulimits": [["core", self._number(), self._number()] for _ in range(rng.choice([0, 0, 1]))],
            "cgroup": self._maybe(self._text, 0.1),
            "codes": rng.choice([None, None, [], [0, 3, -1, 255]]),
            "mounts": mounts,
            "secrets": secrets,
            "ssh": ssh,
            "devices": [[self._text(), self._flag()] for _ in range(rng.choice([0, 0, 0, 2]))],
            "proxy": self._maybe(lambda: [self._text() for _ in range(5)], 0.1),
            "readonly": rng.random() < 0.15,
        }
        return self._constraints(step)

    def _output(self) -> dict[str, Any]:
        """What a command left at one of its mounts that can be gone on from."""
        at = self.rng.choice(self.execs)
        mounts = self.steps[at]["mounts"]
        seen: set[str] = set()
        usable = [-1]
        for index, each in enumerate(mounts):
            kept = (
                each["kind"] == "mount"
                and (each["readonly"] or not each["no_output"])
                and each["target"] != "/"
            )
            if kept and each["target"] not in seen:
                usable.append(index)
            seen.add(each["target"])
        index = self.rng.choice(usable)
        return {"op": "output", "base": at, "target": "/" if index < 0 else mounts[index]["target"]}

    def _action(self, depth: int = 0) -> dict[str, Any]:
        rng = self.rng
        op = rng.choice(["mkdir", "mkfile", "rm", "symlink", "copy", "copy", "copy"])
        made: dict[str, Any] = {"op": op, "path": self._path(), "dest": self._path()}
        if op != "rm":
            made |= {
                "owner": rng.choice(
                    [None, None, "a:b", "1:2", "root", "+7:-1", "", "x:", [5, 6], "2147483648:ü"]
                )
            }
            made |= {"created": rng.choice([None, None, 0, 1577934245000000006])}
        match op:
            case "mkdir":
                made |= {"mode": self._mode(), "parents": self._flag()}
            case "mkfile":
                made |= {"mode": self._mode(), "data": self._text()}
            case "rm":
                made |= {"allow_not_found": self._flag(), "wildcard": self._flag()}
            case "copy":
                made["flags"] = [self._flag() for _ in range(7)]
                made |= {"mode": self._maybe(self._mode), "mode_text": self._maybe(lambda: "u+x", 0.1)}
                made |= {"include": self._texts(1), "exclude": self._texts(1), "required": self._texts(1)}
                if depth < 3 and rng.random() < 0.2:
                    made["actions"] = [self._action(depth + 1) for _ in range(rng.randint(1, 2))]
                made["source"] = self._state()
        return made

    def _file(self) -> dict[str, Any]:
        actions = [self._action() for _ in range(self.rng.randint(1, 4))]
        return self._constraints({"op": "file", "base": self._state(), "actions": actions})

    def _combine(self) -> dict[str, Any]:
        if self.rng.random() < 0.5:
            step: dict[str, Any] = {
                "op": "merge",
                "states": [self._state() for _ in range(self.rng.randrange(5))],
            }
        else:
            step = {"op": "diff", "base": self._state(), "other": self._state()}
        return self._constraints(step)

    def _other(self) -> dict[str, Any]:
        match self.rng.choice(["requires", "passthrough", "build_op", "reload", "reload"]):
            case "requires":
                return {"op": "requires", "base": 1, "id": "r", "states": [self._state() for _ in range(2)]}
            case "passthrough":
                pairs = [[1, True]] + [[self._state(), self._flag()] for _ in range(3)]
                return self._constraints({"op": "passthrough", "id": "p", "pairs": pairs})
            case "build_op":
                return self._constraints(
                    {"op": "build_op", "base": 1, "filename": self._maybe(self._text) or ""}
                )
        return {"op": "reload", "base": self._state(), "marshal": self.marshal}


def random_program(rng: random.Random, size: int = 12) -> Program:
    """A program of so many steps after the first two, which are an empty state and an image."""
    return _Maker(rng).program(size)


def build(program: Program) -> tuple[llb.State, dict[str, Any]]:
    """The state that the program makes, and the arguments of its marshal call."""
    runner = _Runner(program["maps"])
    for step in program["steps"]:
        runner.states.append(runner.run(step))
    state = runner.states[program["result"]]
    if "defaults" in program:
        state = state.with_marshal_defaults(**marshal_args(program["defaults"]))
    return state, marshal_args(program["marshal"])


def marshal_args(given: dict[str, Any]) -> dict[str, Any]:
    """A program's marshal arguments as `State.marshal` takes them."""
    args = {
        "platform": _platform(given["platform"]),
        "local_unique_id": given["unique"],
        "caps": given["caps"],
        "worker_filters": given["filters"],
        "no_cache": given["no_cache"],
        "export_cache": given["export_cache"],
    }
    if given["description"] is not None:
        args["description"] = given["description"]
    if given["group"] is not None:
        args["progress_group"] = llb.ProgressGroup(*given["group"])
    if given["resources"] is not None:
        args["resources"] = llb.Resources(*given["resources"])
    return args


def _range(line: int, character: int, end_line: int, end_character: int) -> llb.Range:
    return llb.Range(llb.Position(line, character), llb.Position(end_line, end_character))


def _made(os: str, architecture: str, variant: str, version: str, features: list[str]) -> llb.Platform:
    return llb.Platform(os, architecture, variant, version, tuple(features))


def _platform(given: list[Any]) -> llb.Platform:
    return _made(*given)


class _Runner:
    def __init__(self, maps: list[dict[str, Any]]) -> None:
        self.states: list[llb.State] = []
        self.maps = [
            llb.SourceMap(
                each["filename"],
                each["data"].encode(),
                language=each["language"],
                state=llb.local(each["local"]) if "local" in each else None,
            )
            for each in maps
        ]

    def run(self, step: dict[str, Any]) -> llb.State:
        method = getattr(self, f"_{step['op']}", None)
        if method is not None:
            made: llb.State = method(step)
            return made
        changed: llb.State = getattr(self._base(step), step["op"])(step["value"])
        return changed

    def _base(self, step: dict[str, Any]) -> llb.State:
        index: int = step["base"]
        return self.states[index]

    def _c(self, step: dict[str, Any]) -> dict[str, Any]:
        given = step.get("c")
        if given is None:
            return {}
        args: dict[str, Any] = {"no_cache": given["no_cache"], "worker_filters": given["filters"]}
        if given["platform"] is not None:
            args["platform"] = _platform(given["platform"])
        for name in ("name", "description", "export_cache"):
            if given[name] is not None:
                args[name] = given[name]
        if given["group"] is not None:
            args["progress_group"] = llb.ProgressGroup(*given["group"])
        if given["resources"] is not None:
            args["resources"] = llb.Resources(*given["resources"])
        args["locations"] = [
            self.maps[place["map"]].at(ranges=[_range(*each) for each in place["ranges"]])
            for place in given["locations"]
        ]
        return args

    def _scratch(self, step: dict[str, Any]) -> llb.State:
        return llb.scratch()

    def _image(self, step: dict[str, Any]) -> llb.State:
        args: dict[str, Any] = {
            name: step[name]
            for name in ("resolve_mode", "internal", "layer_limit", "checksum")
            if name in step
        }
        if "resolver" in step:

            def resolve(ref: str, **_: Any) -> tuple[str, str, bytes]:
                return ref, _DIGEST, step["resolver"].encode()

            args |= {"resolver": resolve, "resolve_digest": step["resolve_digest"]}
        return llb.image(step["ref"], **args, **self._c(step))

    def _local(self, step: dict[str, Any]) -> llb.State:
        only = step["metadata_only"]
        return llb.local(
            step["name"],
            include=step["include"],
            exclude=step["exclude"],
            follow_paths=step["follow"],
            shared_key_hint=step["hint"],
            session_id=step["session"],
            unique_id=step["unique"],
            differ=step["differ"],
            differ_required=step["differ_required"],
            metadata_only=False if only is None else only or True,
            **self._c(step),
        )

    def _git(self, step: dict[str, Any]) -> llb.State:
        args = {
            "ref": step["ref"],
            "subdir": step["subdir"],
            "fragment": step["fragment"],
            "keep_git_dir": step["keep"],
            "auth_token_secret": step["token"],
            "auth_header_secret": step["header"],
            "known_ssh_hosts": step["hosts"],
            "ssh_socket": step["socket"],
            "checksum": step["checksum"],
            "skip_submodules": step["skip"],
            "mtime": step["mtime"],
            "fetch_by_commit": step["by_commit"],
            "checkout_bundle": step["checkout_bundle"],
        }
        if step["bundle"] is not None:
            args |= {
                "bundle": step["bundle"],
                "bundle_session_id": step["bundle_session"],
                "bundle_store_id": step["bundle_store"],
            }
        return llb.git(step["url"], **args, **self._c(step))

    def _http(self, step: dict[str, Any]) -> llb.State:
        args: dict[str, Any] = {name: step[name] for name in ("checksum", "filename", "mode", "uid", "gid")}
        args["auth_header_secret"] = step["auth"]
        if step["headers"] is not None:
            args["accept"], args["user_agent"] = step["headers"]
        if step["pgp"] is not None:
            args["pgp_key"], args["pgp_signature"] = (each.encode() for each in step["pgp"])
        return llb.http(step["url"], **args, **self._c(step))

    def _oci_layout(self, step: dict[str, Any]) -> llb.State:
        return llb.oci_layout(
            step["ref"],
            session_id=step["session"],
            store_id=step["store"],
            layer_limit=step["layer_limit"],
            **self._c(step),
        )

    def _image_blob(self, step: dict[str, Any]) -> llb.State:
        args = {name: step[name] for name in ("filename", "mode", "uid", "gid")}
        return llb.image_blob(step["ref"], **args, **self._c(step))

    def _oci_layout_blob(self, step: dict[str, Any]) -> llb.State:
        args = {name: step[name] for name in ("filename", "mode", "uid", "gid")}
        return llb.oci_layout_blob(
            step["ref"], session_id=step["session"], store_id=step["store"], **args, **self._c(step)
        )

    def _env(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).env(step["key"], step["value"])

    def _platform(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).platform(_platform(step["platform"]))

    def _extra_host(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).extra_host(step["key"], step["value"])

    def _ulimit(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).ulimit(*step["limit"])

    def _image_config(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).with_image_config(step["value"])

    def _reset(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).reset(self.states[step["other"]])

    def _async(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).async_(
            lambda state, options: state.env("ASYNC", options.platform.os + step["value"])
        )

    def _run(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).run(
            step["args"],
            env=dict(step["env"]),
            cwd=step["cwd"],
            network=step["network"],
            security=step["security"],
            extra_hosts=dict(step["hosts"]),
            ulimits=[tuple(each) for each in step["ulimits"]],
            cgroup_parent=step["cgroup"],
            valid_exit_codes=step["codes"],
            mounts=[self._mount(each) for each in step["mounts"]],
            secrets=[_secret(each) for each in step["secrets"]],
            ssh=[llb.ssh(**each) for each in step["ssh"]],
            devices=[llb.device(name, optional=optional) for name, optional in step["devices"]],
            proxy=None if step["proxy"] is None else llb.ProxyEnv(*step["proxy"]),
            readonly_root=step["readonly"],
            **self._c(step),
        )

    def _mount(self, each: dict[str, Any]) -> llb.Mount:
        match each["kind"]:
            case "tmpfs":
                return llb.tmpfs(each["target"], size=each["size"])
            case "cache":
                source = None if each["source"] is None else self.states[each["source"]]
                return llb.cache(
                    each["target"],
                    each["id"],
                    sharing=each["sharing"],
                    source=source,
                    source_path=each["path"],
                    readonly=each["readonly"],
                )
        return llb.mount(
            each["target"],
            self.states[each["source"]],
            readonly=each["readonly"],
            source_path=each["path"],
            no_output=each["no_output"],
            content_cache=each["content"],
        )

    def _output(self, step: dict[str, Any]) -> llb.State:
        command = self._base(step)
        assert isinstance(command, llb.Exec)
        return command.output(step["target"])

    def _actions(self, given: list[dict[str, Any]]) -> llb.FileAction:
        chain: llb.FileAction | None = None
        for each in given:
            chain = self._action(chain or llb, each)
        assert chain is not None
        return chain

    def _action(self, on: Any, each: dict[str, Any]) -> llb.FileAction:
        path, dest, owner = each["path"], each["dest"], each.get("owner")
        options: dict[str, Any] = {
            "owner": tuple(owner) if isinstance(owner, list) else owner,
            "created": each.get("created"),
        }
        made: llb.FileAction
        match each["op"]:
            case "mkdir":
                made = on.mkdir(path, each["mode"], parents=each["parents"], **options)
            case "mkfile":
                made = on.mkfile(path, each["mode"], each["data"].encode(), **options)
            case "rm":
                made = on.rm(path, allow_not_found=each["allow_not_found"], wildcard=each["wildcard"])
            case "symlink":
                made = on.symlink(path, dest, **options)
            case _:
                state = self.states[each["source"]]
                source = self._actions(each["actions"]).with_state(state) if "actions" in each else state
                names = (
                    "follow_symlinks contents_only unpack create_dest wildcard allow_empty_wildcard replace"
                )
                made = on.copy(
                    source,
                    path,
                    dest,
                    mode=each["mode_text"] or each["mode"],
                    include=each["include"],
                    exclude=each["exclude"],
                    required=each["required"],
                    **dict(zip(names.split(), each["flags"], strict=True)),
                    **options,
                )
        return made

    def _file(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).file(self._actions(step["actions"]), **self._c(step))

    def _merge(self, step: dict[str, Any]) -> llb.State:
        return llb.merge(*(self.states[each] for each in step["states"]), **self._c(step))

    def _diff(self, step: dict[str, Any]) -> llb.State:
        return llb.diff(self._base(step), self.states[step["other"]], **self._c(step))

    def _requires(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).requires(step["id"], *(self.states[each] for each in step["states"]))

    def _passthrough(self, step: dict[str, Any]) -> llb.State:
        pairs = [(self.states[state], wanted) for state, wanted in step["pairs"]]
        return llb.passthrough(step["id"], pairs, **self._c(step))[-1]

    def _build_op(self, step: dict[str, Any]) -> llb.State:
        return self._base(step).build_op(filename=step["filename"], **self._c(step))

    def _reload(self, step: dict[str, Any]) -> llb.State:
        definition = self._base(step).marshal(**marshal_args(step["marshal"]))
        return llb.Definition.from_bytes(definition.to_bytes()).state()


def _secret(each: dict[str, Any]) -> llb.Secret:
    rest = {name: each[name] for name in ("optional", "uid", "gid", "mode")}
    if each["target"] is None:
        return llb.secret_env(each["env"], id=each["id"], optional=each["optional"])
    return llb.secret(each["target"], id=each["id"], env=each["env"], **rest)


def text(program: Program) -> str:
    """The program as a line of JSON."""
    return json.dumps(program, ensure_ascii=False, separators=(",", ":"))
