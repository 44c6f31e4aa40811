"""Secrets and SSH agents in the steps of real BuildKits: used where offered, refused where not."""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import Ran, run, start
from tests.support.ssh import agents_below, copy_program, new_key, running_agent

pytestmark = pytest.mark.daemon

SHELL = 'SHELL ["/busybox", "sh", "-c"]'
SIZE_LIMIT = 512_000


@pytest.fixture
def project(tmp_path: Path, engine: Engine) -> Path:
    return project_folder(tmp_path, engine)


def project_folder(tmp_path: Path, engine: Engine) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(engine.busybox, folder / "busybox")
    return folder


def build(
    engine: Engine, project: Path, step: str, *flags: str, variables: dict[str, str] | None = None
) -> Ran:
    """A build of one step, which no cache knows."""
    unique = f"# {time.time_ns()}"
    lines = ["FROM scratch", "COPY . /", SHELL, f"RUN {step} {unique}", ""]
    (project / "Dockerfile").write_text("\n".join(lines))
    return run(*arguments(engine), *flags, cwd=project, variables=variables)


def arguments(engine: Engine) -> list[str]:
    local = ["--local", "context=.", "--local", "dockerfile=.", "--opt", "force-network-mode=none"]
    address = ["--addr", f"docker://{engine.socket}"]
    return [*address, "build", "--frontend", "dockerfile.v0", *local, "--progress=plain"]


def printed(ran: Ran) -> list[str]:
    """What the steps of a build that succeeded wrote."""
    assert ran.exit == 0, ran.stderr
    return re.findall(r"^#\d+ \d+\.\d+ (.*)$", ran.stderr, re.MULTILINE)


class TestSecretsThatAreHardToSee:
    """Values that a reader sees whole, and lines of the secret's file that are in every log."""

    SECRET = '{\n    "key": "s3cr3t-value-77",\n        \n    "x": [\n    ],\n--------\n}\n'
    STEP = (
        "--mount=type=secret,id=token echo '        indented'; echo '    ],'; echo '-------- head'; "
        "v=$(/busybox grep key /run/secrets/token | /busybox cut -d '\"' -f 4); echo plain $v; "
        "echo grep $v | /busybox sed 's/r3t/@[01;31m@[Kr3t@[m@[K/' | /busybox tr @ '\\033'; "
        "echo wide $v | /busybox sed 's/./&@/g' | /busybox tr @ '\\000'; echo fold $v | /busybox fold -w 14"
    )

    @pytest.mark.parametrize("mode", ["plain", "grouped", "rawjson"])
    def test_what_is_shown(self, engine: Engine, project: Path, tmp_path: Path, mode: str) -> None:
        file = tmp_path / "secret"
        file.write_text(self.SECRET)
        flags = [
            "--secret",
            f"id=token,src={file}",
            f"--progress={mode}",
            f"--timeline={tmp_path}/t.html",
            f"--log-dir={tmp_path}/logs",
        ]
        ran = build(engine, project, self.STEP, *flags)
        assert ran.exit == 0, ran.stderr
        written = [path.read_bytes() for path in (tmp_path / "logs").rglob("*") if path.is_file()]
        texts = [ran.stderr.encode(), (tmp_path / "t.html").read_bytes(), *written]
        if mode == "rawjson":
            logs = [log for line in ran.stderr.splitlines() for log in json.loads(line).get("logs") or ()]
            texts.append(b"".join(base64.b64decode(log["data"]) for log in logs))
        for text in texts:
            seen = re.sub(rb"\x1b\[[0-9;]*[a-zA-Z]|\\u001b\[[0-9;]*[a-zA-Z]|\0|\\u0000", b"", text)
            assert b"s3cr3t" not in seen
            assert b"value-77" not in seen
        if mode == "plain":
            assert {"        indented", "    ],", "-------- head", "plain ***", "fold ***"} <= set(
                printed(ran)
            )


READ = "--mount=type=secret,id=token /busybox rev /run/secrets/token"
"""Backwards, for the secret itself is hidden in what is shown."""


class TestSecretsThatStepsPrint:
    """The step prints its secret in all ways that are looked for, and fails."""

    SECRET = "p@ss w/rd-" + "0123456789abcdef" * 5
    URL = "/busybox sed 's/@/%40/;s/ /%20/;s,/,%2F,' /run/secrets/token"
    STEP = (
        "--mount=type=secret,id=token cd /run/secrets; /busybox cat token; /busybox base64 token; "
        f"{URL}; /busybox head -c 9 token; /busybox sleep 0.2; /busybox tail -c +10 token; "
        f"echo : && echo user:$(/busybox cat token) | /busybox base64 -w 0; echo '{SECRET}'; exit 3"
    )

    @pytest.fixture
    def project(self, tmp_path: Path, engine_26: Engine) -> Path:
        """One daemon is enough: all of it is this client's work."""
        return project_folder(tmp_path, engine_26)

    @pytest.mark.parametrize("mode", ["plain", "rawjson", "github"])
    def test_they_are_in_nothing_that_is_shown_or_written(
        self, mode: str, engine_26: Engine, project: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text(self.SECRET + "\n")
        (tmp_path / "logs").mkdir()
        written = [f"--{name}={tmp_path}/{name}" for name in ("trace", "timings", "events")]
        written += [f"--timeline={tmp_path}/t.html", f"--log-dir={tmp_path}/logs"]
        secret = f"--secret=id=token,src={tmp_path}/file"
        variables = {"GITHUB_STEP_SUMMARY": str(tmp_path / "page")}
        flags = (secret, "--summary", f"--progress={mode}", *written)
        ran = build(engine_26, project, self.STEP, *flags, variables=variables)
        assert ran.exit == 1
        names = ["trace", "t.html", "timings", "events", *(["page"] if mode == "github" else [])]
        kept = re.findall(r"^logs: (.*)$", ran.stderr, re.MULTILINE)
        logs = [file for file in Path(kept[0]).iterdir() if b"***" in file.read_bytes()]
        assert sorted(file.name for file in logs)[0].endswith(".log")
        texts = [ran.stderr, *(path.read_text() for path in (*(tmp_path / name for name in names), *logs))]
        for text in (*texts, *map(decoded, texts)):
            assert "***" in text
            assert "cdef01" not in text
            assert "p@ss" not in text
            assert "p%40ss" not in text
            for first in range(3):
                assert base64.b64encode(self.SECRET[first:].encode()).decode()[4:40] not in text


def decoded(text: str) -> str:
    """What is in base64 in it, as in JSON, besides the text itself."""
    parts = re.findall(r'"((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2,3}={1,2})?)"', text)
    return text + "".join(base64.b64decode(part).decode(errors="replace") for part in parts)


class TestSecrets:
    def test_a_file(self, engine: Engine, project: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("from a file\n")
        said = printed(build(engine, project, READ, "--secret", f"id=token,src={tmp_path}/file"))
        assert said == ["from a file"[::-1]]

    def test_variables(self, engine: Engine, project: Path) -> None:
        variables = {"TOKEN": "from the environment\n", "token": "by its id\n"}
        ran = build(engine, project, READ, "--secret", "id=token,env=TOKEN", variables=variables)
        assert printed(ran) == ["from the environment"[::-1]]
        assert printed(build(engine, project, READ, "--secret", "id=token", variables=variables)) == [
            "by its id"[::-1]
        ]

    def test_several(self, engine: Engine, project: Path) -> None:
        step = "--mount=type=secret,id=a --mount=type=secret,id=b /busybox cat /run/secrets/a /run/secrets/b"
        flags = ("--secret", "id=a,env=A", "--secret", "id=b,env=B")
        said = printed(build(engine, project, step, *flags, variables={"A": "1\n", "B": "2\n"}))
        assert said == ["1", "2"]

    def test_the_largest(self, engine: Engine, project: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * SIZE_LIMIT)
        count = "--mount=type=secret,id=token /busybox wc -c < /run/secrets/token"
        ran = build(engine, project, count, "--secret", f"id=token,src={tmp_path}/file")
        assert printed(ran) == [str(SIZE_LIMIT)]

    def test_one_that_was_not_offered(self, engine: Engine, project: Path) -> None:
        required = READ.replace("id=token", "id=token,required=true")
        for flags in ((), ("--secret", "id=other,env=token")):
            ran = build(engine, project, required, *flags, variables={"token": "geheim"})
            assert ran.exit == 1
            missing = {"0.8": "secret token not found: not found", "0.13": "secret token: not found"}
            assert missing[engine.buildkit] in ran.stderr.splitlines()[-1]
            assert "geheim" not in ran.stderr

    def test_one_that_has_grown_too_big(self, engine: Engine, project: Path, tmp_path: Path) -> None:
        secret = tmp_path / "file"
        secret.write_bytes(b"x")
        steps = f"RUN echo begun; /busybox sleep 1 # {time.time_ns()}\nRUN {READ}\n"
        (project / "Dockerfile").write_text(f"FROM scratch\nCOPY . /\n{SHELL}\n{steps}")
        process = start(*arguments(engine), "--secret", f"id=token,src={secret}", cwd=project)
        assert process.stderr is not None
        for line in process.stderr:
            if line.endswith(b" begun\n"):
                break
        secret.write_bytes(b"x" * (SIZE_LIMIT + 1))
        _, rest = process.communicate(timeout=50)
        assert process.returncode == 1
        assert f"invalid secret size {SIZE_LIMIT + 1}" in rest.decode().splitlines()[-1]

    def test_one_that_is_too_big(self, engine: Engine, project: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * (SIZE_LIMIT + 1))
        ran = build(engine, project, READ, "--secret", f"id=token,src={tmp_path}/file")
        assert (ran.exit, ran.stderr) == (1, "error: secret token too big. max size 500KiB\n")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose sockets have paths short enough."""
    with tempfile.TemporaryDirectory(prefix="ssh-", dir="/tmp") as folder:
        yield Path(folder)


LIST = "--mount=type=ssh /ssh-add -l"


class TestSSH:
    @pytest.fixture(autouse=True)
    def _tools(self, project: Path) -> None:
        copy_program("ssh-add", project)

    def test_an_agent(self, engine: Engine, project: Path, short: Path) -> None:
        key = new_key(short)
        shutil.copy(f"{key}.pub", project)
        with running_agent(short / "agent", key):
            step = "--mount=type=ssh /ssh-add -l && /ssh-add -T /id.pub && ! /ssh-add -D && echo kept"
            variables = {"SSH_AUTH_SOCK": str(short / "agent")}
            said = printed(build(engine, project, step, "--ssh", "default", variables=variables))
            assert said[0].endswith(" id (ED25519)")
            assert "kept" in said

    def test_several_ids(self, engine: Engine, project: Path, short: Path) -> None:
        first, second = new_key(short, "first"), new_key(short, "second")
        step = (
            "--mount=type=ssh,id=a,target=/a --mount=type=ssh,id=b,target=/b "
            "SSH_AUTH_SOCK=/a /ssh-add -l && SSH_AUTH_SOCK=/b /ssh-add -l"
        )
        with running_agent(short / "agent", first):
            said = printed(build(engine, project, step, "--ssh", f"a={short}/agent", "--ssh", f"b={second}"))
        assert [line.split()[2] for line in said] == ["first", "second"]

    def test_key_files(self, engine: Engine, project: Path, short: Path) -> None:
        first, second = new_key(short, "first"), new_key(short, "second", "rsa")
        shutil.copy(f"{second}.pub", project)
        step = "--mount=type=ssh /ssh-add -l && /ssh-add -T /second.pub"
        ran = build(
            *(engine, project, step, "--ssh", f"default={first},{second}"), variables={"TMPDIR": str(short)}
        )
        assert [line.split()[-1] for line in printed(ran)] == ["(ED25519)", "(RSA)"]
        assert agents_below(short) == []
        assert list(short.glob("buildctl-*")) == []

    def test_a_raw_socket_is_not_filtered(self, engine: Engine, project: Path, short: Path) -> None:
        with running_agent(short / "agent", new_key(short)):
            step = "--mount=type=ssh,id=any /ssh-add -D 2>&1"
            said = printed(build(engine, project, step, "--ssh", f"any={short}/agent,raw=true"))
            assert said == ["All identities removed."]

    def test_an_id_that_was_not_offered(self, engine: Engine, project: Path, short: Path) -> None:
        with running_agent(short / "agent"):
            step = LIST.replace("type=ssh", "type=ssh,required=true")
            variables = {"SSH_AUTH_SOCK": str(short / "agent")}
            ran = build(engine, project, step, "--debug", "--ssh", "other", variables=variables)
        assert ran.exit == 1
        assert "unset ssh forward key default" in ran.stderr
        assert "refused ssh agent" in ran.stderr

    def test_no_agent_outlives_ctrl_c(self, engine: Engine, project: Path, short: Path) -> None:
        key = new_key(short)
        step = f"RUN --mount=type=ssh /ssh-add -l && /busybox sleep 60 # {time.time_ns()}"
        (project / "Dockerfile").write_text(f"FROM scratch\nCOPY . /\n{SHELL}\n{step}\n")
        flags = ("--ssh", f"default={key}")
        process = start(*arguments(engine), *flags, cwd=project, variables={"TMPDIR": str(short)})
        assert process.stderr is not None
        for line in process.stderr:
            if b"(ED25519)" in line:
                break
        assert len(agents_below(short)) > 0
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 1
        assert agents_below(short) == []
        assert list(short.glob("buildctl-*")) == []


def test_the_session_log_tells_what_was_asked_and_never_what_was_in_it(engine: Engine, project: Path) -> None:
    (project / "token").write_text("hidden-value")
    log = project.parent / "session.log"  # in the context it would change while it is sent
    offered = ["--secret", "id=token,src=token", "--session-log", str(log)]
    assert build(engine, project, READ, *offered, "--output", "type=local,dest=out").exit == 0
    step = "--mount=type=secret,id=other,required=true /busybox true"
    assert build(engine, project, step, *offered).exit == 1
    text = log.read_text()
    assert "hidden-value" not in text
    assert log.stat().st_mode & 0o777 == 0o600
    told = [json.loads(line) for line in text.splitlines()]
    assert len({one["ref"] for one in told}) == 2
    secrets = [(one["asked"]["id"], one["outcome"]) for one in told if one["method"] == "GetSecret"]
    assert secrets == [("token", "OK"), ("other", "NOT_FOUND")]
    asked = [one["asked"] for one in told if one["outcome"] == "requested"]
    assert {"local": "context", "path": "busybox"} in asked
    assert {"local": "dockerfile", "path": "Dockerfile"} in asked
    received = [one["received_bytes"] for one in told if one["service"] == "moby.filesync.v1.FileSend"]
    assert len(received) == 1
    assert received[0] > (project / "busybox").stat().st_size
