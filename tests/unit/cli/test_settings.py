"""Settings: who counts more, what a project may say, names of daemons, files that are wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildctl.cli.environment import Environment
from buildctl.cli.main import main
from tests.support.replay_server import replay_server


class Ran:
    def __init__(self, exit_code: int, stdout: str, stderr: str) -> None:
        self.exit, self.stdout, self.stderr = exit_code, stdout, stderr


class Home:
    """A home and a project, and the program in this process."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "project"
        self.home.mkdir()
        self.project.mkdir()
        self.user_file = self.home / ".config/buildctl/config.toml"

    def user(self, text: str) -> None:
        self.user_file.parent.mkdir(parents=True, exist_ok=True)
        self.user_file.write_text(text)

    def __call__(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
        out, err = self.home / "out", self.home / "err"
        came_from = Path.cwd()
        os.chdir(self.project)
        try:
            with out.open("w+b") as stdout, err.open("w+b") as stderr, open(os.devnull, "rb") as nothing:
                environ = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", **(variables or {})}
                status = main(
                    arguments, Environment(environ, nothing.fileno(), stdout.fileno(), stderr.fileno())
                )
        finally:
            os.chdir(came_from)
        return Ran(status, out.read_text(), err.read_text())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_names_of_daemons(home: Home) -> None:
    assert home("daemon", "ls").stdout == "NAME   ADDRESS   TLS   FROM\n"
    certs = str(home.home / "certs")
    assert home("daemon", "add", "ci", "tcp://builder:1234", "--tlsdir", certs).stdout == "ci\n"
    assert home("daemon", "add", "here", "docker://", "--use").stdout == "here\n"
    assert home.user_file.stat().st_mode & 0o777 == 0o600
    rows = [line.split() for line in home("daemon", "ls").stdout.splitlines()[1:]]
    assert [row[:2] for row in rows] == [["ci", "tcp://builder:1234"], ["here*", "docker://"]]
    assert f"tlsdir   {certs}" in home("--daemon", "ci", "config").stdout
    assert home("daemon", "use", "ci").exit == 0
    assert home("config").stdout.splitlines()[0].split() == ["addr", "tcp://builder:1234"]
    assert home("daemon", "rm", "ci").stdout == "ci\n"
    assert home("config").stdout.split() == ["addr", "unix:///run/buildkit/buildkitd.sock"]


def test_comments_stay(home: Home) -> None:
    home.user("# mine\n[flags.build]\nprogress = 'plain' # as I like it\n")
    home("daemon", "add", "ci", "tcp://builder:1234", "--use")
    text = home.user_file.read_text()
    assert "# mine" in text
    assert "progress = 'plain' # as I like it" in text
    assert home("config").exit == 0


def test_who_counts_more(home: Home) -> None:
    home.user(
        'daemon = "user"\n[daemons.user]\naddr = "tcp://user:1"\n[daemons.other]\naddr = "tcp://other:1"\n'
    )

    def addr(*arguments: str, **variables: str) -> list[str]:
        rows = home(*arguments, "config", "--origin", variables=variables).stdout.splitlines()
        return [" ".join(row.split()[1:3]) for row in rows if row.startswith("addr ")]

    assert addr() == ["tcp://user:1 daemon"]
    (home.project / "buildctl.toml").write_text('daemon = "other"\n')
    assert addr() == ["tcp://other:1 daemon"]
    assert addr(BUILDKIT_HOST="tcp://env:1") == ["tcp://env:1 BUILDKIT_HOST"]
    assert addr("--daemon", "user", BUILDKIT_HOST="tcp://env:1") == ["tcp://user:1 daemon"]
    assert addr("--addr", "tcp://flag:1", BUILDKIT_HOST="tcp://env:1") == ["tcp://flag:1 --addr"]


def test_tls_variables(home: Home) -> None:
    variables = {"BUILDKIT_TLS_CACERT": "/ca.pem", "BUILDKIT_TLS_SERVERNAME": "name"}
    rows = [line.split() for line in home("config", "--origin", variables=variables).stdout.splitlines()]
    assert ["tlscacert", "/ca.pem", "BUILDKIT_TLS_CACERT"] in rows
    ran = home("--addr", "tcp://localhost:1", "du", variables=variables)
    assert "/ca.pem" in ran.stderr


def test_default_flags(home: Home, tmp_path: Path) -> None:
    home.user('[flags.du]\nformat = "json"\nfilter = ["type==regular"]\n[global]\ndebug = true\n')
    with replay_server("du-filter", tmp_path / "s", speed=0) as server:
        shown = home("--addr", f"unix://{tmp_path}/s", "du", "--filter", "shared")
    assert isinstance(json.loads(shown.stdout), list)
    (request,) = [call.request for call in server.received if call.method.endswith("DiskUsage")]
    assert request is not None
    assert request.index(b"type==regular") < request.index(b"shared")
    with replay_server("du-filter", tmp_path / "s", speed=0):
        typed = home("--addr", f"unix://{tmp_path}/s", "du", "--format", "{{len .}}")
    assert typed.stdout.strip().isdigit()


FREE = [
    '[flags.build]\nprogress = "plain"\ntarget = "test"\nbuild-arg = ["A=1"]\nplatform = "linux/arm64"\n',
    '[flags.build]\nlocal = ["context=.", "dockerfile=sub"]\nfile = "sub/Dockerfile"\n',
    '[flags.build]\noutput = ["type=local,dest=out", "type=tar,dest=sub/x.tar"]\n',
    '[flags.build]\nopt = ["target=x", "build-arg:A=1"]\n[flags.du]\nsort = "size"\n',
    'daemon = "ci"\n',
]


@pytest.mark.parametrize("text", FREE)
def test_what_a_project_may_say(text: str, home: Home) -> None:
    home.user('[daemons.ci]\naddr = "tcp://ci:1"\n')
    (home.project / "sub").mkdir()
    (home.project / "sub/Dockerfile").write_text("FROM scratch\n")
    (home.project / "buildctl.toml").write_text(text)
    ran = home("build", "--dry-run", "--frontend", "dockerfile.v0")
    assert (ran.exit, ran.stderr) == (0, "")


ASKED = [
    ('[daemons.evil]\naddr = "ssh://evil"\n', "daemons"),
    ('daemon = "evil"\n[daemons.evil]\naddr = "tcp://evil:1"\n', "daemons"),
    ('[global]\naddr = "tcp://evil:1"\n', "global.addr"),
    ('[flags.build]\nsecret = "id=x,src=/home/me/.netrc"\n', "flags.build.secret"),
    ('[flags.build]\nssh = "default"\n', "flags.build.ssh"),
    ('[flags.build]\nallow = "security.insecure"\n', "flags.build.allow"),
    ('[flags.build]\nlocal = ["context=.."]\n', "flags.build.local"),
    ('[flags.build]\nlocal = ["context=link"]\n', "flags.build.local"),
    ('[flags.build]\nbuild-context = ["home=/home"]\n', "flags.build.build-context"),
    ('[flags.build]\nfile = "../Dockerfile"\n', "flags.build.file"),
    ('[flags.build]\noutput = "type=local,dest=../out"\n', "flags.build.output"),
    ('[flags.build]\noutput = "type=local,dest=link/out"\n', "flags.build.output"),
    ('[flags.build]\noutput = "type=local,dest=out,mode=delete"\n', "flags.build.output"),
    ('[flags.build]\noutput = "type=tar,dest=/dev/stdout"\n', "flags.build.output"),
    ('[flags.build]\noutput = "type=image,name=a,push=true"\n', "flags.build.output"),
    ("[flags.build]\npush = true\n", "flags.build.push"),
    ('[flags.build]\nbuild-arg = ["AWS_SECRET_ACCESS_KEY"]\n', "flags.build.build-arg"),
    ('[flags.build]\nopt = ["build-arg:AWS_SECRET_ACCESS_KEY"]\n', "flags.build.opt"),
    ('[flags.build]\nopt = ["context=https://evil"]\n', "flags.build.opt"),
    ('[flags.build]\nmetadata-file = "x"\n', "flags.build.metadata-file"),
    ('[flags.build]\ntrace = "x"\n', "flags.build.trace"),
    ("[flags.prune]\nall = true\n", "flags.prune"),
    ("[flags.history.rm]\nall = true\n", "flags.history"),
]


@pytest.mark.parametrize(("text", "asked"), ASKED)
def test_what_a_project_may_only_with_the_user_s_word(text: str, asked: str, home: Home) -> None:
    (home.project / "link").symlink_to(home.home)
    (home.project / "Dockerfile").write_text("FROM scratch\n")
    file = home.project / "buildctl.toml"
    file.write_text(text)
    ran = home("build", "--dry-run", ".")
    assert ran.exit == 1
    assert ran.stderr == f"error: buildctl.toml sets {asked}, which a project may only with your word\n"
    assert home("build", "--dry-run", ".", variables={"BUILDCTL_CONFIG": "off"}).exit == 0
    assert "not allowed yet" in home("config").stdout
    allowed = home("config", "allow")
    assert allowed.stdout == f"buildctl.toml: allowed as it is now: {asked}\n"
    assert "which a project may only" not in home("build", "--dry-run", ".").stderr
    file.write_text(text + "# changed\n")
    assert "which a project may only" in home("build", "--dry-run", ".").stderr


WRONG = [
    ("x = 1\n", 'there is no setting "x"'),
    ("daemon = 1\n", "daemon is the name of one of [daemons]"),
    ("daemons = 1\n", "daemons is a table"),
    ("[daemons.a]\n", "daemons.a needs addr"),
    ('[daemons.a]\naddr = "x"\nport = 1\n', "daemons.a.port"),
    ("[flags\n", ""),
    ("a = " + "[" * 5000, ""),
    ("\x00", ""),
    ('daemon = "nope"\n', 'there is no daemon "nope", which'),
    ('[flags.du]\nverbose = "maybe"\n', "verbose: parse error"),
    ('[flags.du]\nformat = ["a", "b"]\n', "format takes one value"),
    ("[flags.du]\nformat = { a = 1 }\n", "format is a text"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_file_that_is_wrong_is_named(text: str, message: str, home: Home) -> None:
    home.user(text)
    ran = home("--addr", "unix:///nowhere" if "nope" not in text else "", "du")
    assert ran.exit == 1
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert "config.toml" in ran.stderr


def test_files_that_are_none(home: Home) -> None:
    file = home.project / "buildctl.toml"
    os.mkfifo(file)
    assert home("config").stderr.startswith("error: open buildctl.toml: ")  # and is not waited for
    file.unlink()
    file.symlink_to("/dev/zero")
    assert "not a regular file" in home("config").stderr
    file.unlink()
    file.mkdir()
    assert "error: " in home("config").stderr


def test_import(home: Home) -> None:
    docker = home.home / ".docker"
    instances = docker / "buildx/instances"
    instances.mkdir(parents=True)
    remote = {"Name": "far", "Endpoint": "tcp://far:1234", "DriverOpts": {"cacert": "/ca.pem"}}
    builders: dict[str, dict[str, object]] = {
        "far": {"Name": "far", "Driver": "remote", "Nodes": [remote]},
        "box": {"Name": "box", "Driver": "docker-container", "Nodes": [{"Name": "box0"}]},
        "pods": {"Name": "pods", "Driver": "kubernetes", "Nodes": [{"Name": "p"}]},
        "two": {"Name": "two", "Driver": "remote", "Nodes": [remote, remote]},
    }
    for name, builder in builders.items():
        (instances / name).write_text(json.dumps(builder))
    for name, host in {"desk": "unix:///run/user/1/docker.sock", "away": "ssh://me@away"}.items():
        folder = docker / "contexts/meta" / name
        folder.mkdir(parents=True)
        fields = {"Name": name, "Endpoints": {"docker": {"Host": host}}}
        (folder / "meta.json").write_text(json.dumps(fields))
    ran = home("daemon", "import")
    assert ran.stdout.splitlines() == [
        "box docker-container://buildx_buildkit_box0",
        "far tcp://far:1234",
        "desk docker:///run/user/1/docker.sock",
    ]
    assert "pods: left out: the driver kubernetes has no address of its own\n" in ran.stderr
    assert "two: left out: it has 2 nodes\n" in ran.stderr
    assert "away: left out: docker:// does not lead to ssh://me@away\n" in ran.stderr
    assert "box: left out: the name is taken\n" in home("daemon", "import").stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["daemon", "add", "x"], "a name and an address are needed"),
        (["daemon", "add", "a b", "docker://"], 'invalid name "a b"'),
        (["daemon", "use"], "one daemon is needed"),
        (["daemon", "use", "x"], 'there is no daemon "x"'),
        (["daemon", "rm"], "a name is needed"),
        (["daemon", "rm", "x"], 'there is no daemon "x"'),
        (["config", "deny"], 'config does not know "deny"'),
        (["config", "allow"], "there is no buildctl.toml in this folder"),
        (["--daemon", "x", "du"], 'there is no daemon "x"'),
        (["daemon", "inspect", "x"], 'there is no daemon "x"'),
    ],
)
def test_typed_wrong(line: list[str], message: str, home: Home) -> None:
    ran = home(*line)
    assert (ran.exit, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"error: {message}")


def test_inspect(home: Home, tmp_path: Path) -> None:
    with replay_server("workers", tmp_path / "s", speed=0):
        home("daemon", "add", "here", f"unix://{tmp_path}/s")
        told = home("daemon", "inspect", "here").stdout
    assert "platforms" in told
    assert "buildkit" in told
    gone = home("daemon", "inspect", "here")
    assert gone.exit == 1
    assert gone.stdout.startswith("addr ")
