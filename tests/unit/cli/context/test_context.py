"""`context` as a user meets it: what is printed of a folder and of a path, and what cannot be meant."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from buildctl.cli.environment import Environment
from buildctl.cli.main import main
from buildctl.fsutil.announced import Recorder, Selection
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.listing import Listing
from buildctl.fsutil.survey import opened
from buildctl.fsutil.walk import walk

Run = Callable[..., tuple[int, str, str]]

RULES = "# what is made\n\nnode_modules\n**/*.log\n/logs\n!logs/keep\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in a folder with a context; gives exit code, standard output and error."""
    context = tmp_path / "context"
    for name, text in {
        ".dockerignore": RULES,
        "Dockerfile": "FROM scratch\nCOPY . /\n",
        "src/a.py": "hello",
        "src/sub/b.log": "xx",
        "node_modules/x/big": "0" * 1234,
        "logs/1.log": "l",
        "logs/keep/k.log": "kept",
    }.items():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(text)
    (context / "src/link").symlink_to("a.py")
    os.link(context / "src/a.py", context / "src/more")
    (context / "src/two\nlines").touch()
    monkeypatch.chdir(context)

    def run(*arguments: str) -> tuple[int, str, str]:
        paths = tmp_path / "out", tmp_path / "err"
        with paths[0].open("w") as out, paths[1].open("w") as err:
            variables = {"XDG_STATE_HOME": str(tmp_path / "state")}
            code = main(["context", *arguments], Environment(variables, 0, out.fileno(), err.fileno()))
        return code, paths[0].read_text(), paths[1].read_text()

    return run


def test_a_tree_two_levels_deep(run: Run) -> None:
    assert run("ls") == (
        0,
        """\
86B  .
55B  ├── .dockerignore
22B  ├── Dockerfile
 4B  ├── logs/
 4B  │   └── keep/ (1 file)
 5B  └── src/
 5B      ├── a.py
 0B      ├── link -> a.py
 0B      ├── more = src/a.py
 0B      ├── sub/
 0B      └── "two\\nlines"

LARGEST FOLDERS
SIZE FILES PATH
5B   4     src
4B   1     logs
4B   1     logs/keep
0B   0     src/sub

Ignore file:   .dockerignore
Looked at:     9 files, 4 folders
Would be sent: 7 files, 4 folders, 86B
""",
        "",
    )


def test_all_levels_of_another_folder(run: Run) -> None:
    code, out, _ = run("ls", "--depth", "0", "logs")
    assert (code, out.splitlines()[:4]) == (
        0,
        ["5B  .", "1B  ├── 1.log", "4B  └── keep/", "4B      └── k.log"],
    )
    assert "Ignore file:   none\n" in out


def test_what_each_rule_does(run: Run) -> None:
    _, out, _ = run("ls", "--rules")
    rows = [line.split() for line in out.partition("RULES OF .dockerignore\n")[2].splitlines()[:5]]
    assert rows[0] == ["LINE", "PATHS", "TIME", "RULE"]
    assert [(row[0], row[1], row[3]) for row in rows[1:]] == [
        ("3", "1", "node_modules"),
        ("4", "1", "**/*.log"),
        ("5", "2", "/logs"),
        ("6", "2", "!logs/keep"),
    ]
    assert all(row[2].endswith("ms") for row in rows[1:])


def test_a_listing_as_json(run: Run) -> None:
    listing = json.loads(run("ls", "--format", "json", "--rules")[1])
    assert (listing["files"], listing["folders"], listing["size"]) == (7, 4, 86)
    assert listing["folder"] == os.getcwd()
    assert listing["largest"][0] == {"path": "src", "files": 4, "size": 5}
    assert [(rule["line"], rule["paths"]) for rule in listing["rules"]] == [(3, 1), (4, 1), (5, 2), (6, 2)]
    by_path = {entry["path"]: entry for entry in listing["entries"]}
    assert by_path["src"]["type"] == "folder"
    assert by_path["src/link"] | {"modTime": ""} == {
        "path": "src/link",
        "type": "link",
        "size": 0,
        "mode": "0777",
        "modTime": "",
        "linkname": "a.py",
    }
    assert "src/two\nlines" in by_path


def test_a_listing_through_a_template(run: Run) -> None:
    assert run("ls", "logs", "--format", "{{range .Entries}}{{.Size}} {{.Path}}{{println}}{{end}}") == (
        0,
        "1 1.log\n4 keep\n4 keep/k.log\n\n",
        "",
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("src/a.py", "src/a.py is sent: no rule matches it"),
        ("./src/../src/a.py", "src/a.py is sent: no rule matches it"),
        ("src/sub/b.log", "src/sub/b.log is not sent: .dockerignore:4 excludes it"),
        (
            "node_modules/x/big",
            "node_modules/x/big is not sent: .dockerignore:3 excludes the folder node_modules",
        ),
        ("logs", "logs is sent: .dockerignore:5 excludes it, but something in it is sent"),
        ("logs/1.log", "logs/1.log is not sent: .dockerignore:5 excludes the folder logs"),
        ("logs/keep", "logs/keep is sent: .dockerignore:6 takes it back"),
        ("logs/keep/k.log", "logs/keep/k.log is sent: .dockerignore:6 takes the folder logs/keep back"),
        (".", ". is sent: it is the context itself"),
        ("../x", "../x is not sent: it is outside of the context"),
        ("/etc/passwd", "/etc/passwd is not sent: it is outside of the context"),
        ("no", "no does not exist; it would be sent: no rule matches it"),
        ("no.log", "no.log does not exist; it would not be sent: .dockerignore:4 excludes it"),
        ("src/link", "src/link is sent: no rule matches it"),
        ("src/link/x", "src/link/x does not exist; it would not be sent: src/link is no folder but a link"),
        ("src/a.py/x", "src/a.py/x does not exist; it would not be sent: src/a.py is no folder but a file"),
        ("src/two\nlines", '"src/two\\nlines" is sent: no rule matches it'),
        ("a\0b", '"a\\x00b" does not exist; it would be sent: no rule matches it'),
    ],
)
def test_what_becomes_of_a_path(run: Run, path: str, said: str) -> None:
    code, out, err = run("explain", path)
    assert (code, out.splitlines()[0], err) == (0, said, "")


def test_rules_that_hold_are_listed_in_their_order(run: Run) -> None:
    assert run("explain", "logs/keep/k.log")[1].splitlines()[1:] == [
        "  .dockerignore:4 **/*.log   for logs/keep/k.log",
        "  .dockerignore:5 /logs      for logs",
        "  .dockerignore:6 !logs/keep for logs/keep",
    ]


def test_an_absolute_path_counts_from_the_context_however_that_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to("context")
    path = str(tmp_path / "other/src/a.py")
    assert run("explain", path)[1] == "src/a.py is sent: no rule matches it\n"
    assert run("explain", path, str(tmp_path))[1].startswith("other/src/a.py ") is False
    assert run("explain", str(tmp_path / "context"))[1] == ". is sent: it is the context itself\n"


def test_a_slash_makes_a_folder_of_a_path_that_does_not_exist(run: Run) -> None:
    Path(".dockerignore").write_text("*\n!new/deep/*\n")
    said = "does not exist; it would not be sent: .dockerignore:1 excludes it\n"
    assert run("explain", "new/")[1].startswith(f"new {said}")
    assert run("explain", "old/")[1].startswith(f"old {said}")


def test_the_file_of_a_dockerfile(run: Run) -> None:
    Path("src/web").write_text("FROM scratch\n")
    Path("src/web.dockerignore").write_text("logs/keep\n")
    said = "logs/keep/k.log is not sent: src/web.dockerignore:1 excludes the folder logs/keep\n"
    assert run("explain", "-f", "src/web", "logs/keep/k.log")[1].startswith(said)
    assert "Ignore file:   src/web.dockerignore\n" in run("ls", "--file", "src/web")[1]


def test_a_verdict_as_json(run: Run) -> None:
    assert json.loads(run("explain", "--format", "json", "src/sub/b.log")[1]) == {
        "path": "src/sub/b.log",
        "sent": False,
        "type": "file",
        "reason": ".dockerignore:4 excludes it",
        "ignoreFile": ".dockerignore",
        "rules": [{"line": 4, "text": "**/*.log", "pattern": "**/*.log", "for": "src/sub/b.log"}],
    }


@pytest.fixture
def build(run: Run, tmp_path: Path) -> None:
    """Keeps what a build would have announced of the context."""
    excludes = ["node_modules", "**/*.log", "logs", "!logs/keep"]
    with opened(".") as root:
        batches = Listing().announce(walk(root, b".", Filter((), excludes)))
        recorder = Recorder(str(tmp_path / "state/buildctl/sent"), ".", "context", Selection((), excludes))
        list(recorder.batches(batches))
    recorder.finish()


@pytest.mark.usefixtures("build")
def test_nothing_has_changed(run: Run) -> None:
    code, out, _ = run("diff")
    assert (code, [line.split(":")[0] for line in out.splitlines()]) == (
        0,
        ["Since the build of", "Added", "Changed", "Removed", "To send"],
    )
    assert out.endswith("0 files, 0B\n")


@pytest.mark.usefixtures("build")
def test_what_has_changed(run: Run) -> None:
    Path("new").write_text("12345")
    Path("Dockerfile").unlink()
    Path("src/two\nlines").write_text("123")
    Path("src/sub").chmod(0o700)
    Path("src/link").unlink()
    Path("src/link").mkdir()
    Path("logs/2.log").touch()
    Path(".dockerignore").write_text(RULES + "src/more\n")
    code, out, _ = run("diff", ".")
    changed, _, totals = out.partition("\n\n")
    assert (code, changed.splitlines()) == (
        0,
        [
            "M 64B size, time .dockerignore",
            "D                Dockerfile",
            "A 5B             new",
            "M 0B  type       src/link",
            "D                src/more",
            "M 0B  mode       src/sub",
            'M 3B  size, time "src/two\\nlines"',
        ],
    )
    assert totals.startswith("The ignore file has other rules than at that build.\n\nSince the build of: ")
    assert totals.endswith("To send:            3 files, 72B\n")
    difference = json.loads(run("diff", "--format", "json")[1])
    assert (difference["files"], difference["size"], difference["rulesChanged"]) == (3, 72, True)
    assert difference["changes"][:3] == [
        {"path": ".dockerignore", "kind": "changed", "what": ["size", "time"], "size": 64},
        {"path": "Dockerfile", "kind": "removed", "size": 0},
        {"path": "new", "kind": "added", "size": 5},
    ]


@pytest.mark.usefixtures("build")
def test_a_damaged_record(run: Run, tmp_path: Path) -> None:
    (record,) = (tmp_path / "state/buildctl/sent").iterdir()
    assert record.stat().st_mode & 0o777 == 0o600
    record.write_bytes(record.read_bytes()[:50])
    code, out, err = run("diff")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: read {record}: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ls", "no"], "no: no such folder"),
        (["ls", "Dockerfile"], "Dockerfile: no folder"),
        (["ls", "a", "b"], "one folder is enough"),
        (["ls", "--depth", "-1"], "invalid --depth -1"),
        (["ls", "-f", "no"], "no: no such Dockerfile"),
        (["ls", "--format", "{{"], "template: :1: unclosed action"),
        (["explain"], "one path is needed"),
        (["explain", "a", ".", "b"], "one path is needed"),
        (["explain", "a", "no"], "no: no such folder"),
        (["diff", "no"], "no: no such folder"),
        (["diff", "a", "b"], "one folder is enough"),
        (["diff"], "no build that sent . as context is known"),
        (["diff", "--local", "x", "src"], "no build that sent src as x is known"),
    ],
)
def test_what_cannot_be_meant(run: Run, arguments: list[str], said: str) -> None:
    assert run(*arguments) == (1, "", f"error: {said}\n")


def test_a_rule_that_is_no_pattern(run: Run) -> None:
    Path(".dockerignore").write_text("!\n")
    code, out, err = run("ls")
    assert (code, out) == (1, "")
    assert 'illegal exclusion pattern: "!"' in err
