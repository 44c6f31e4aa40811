"""What to do next: near names, and why a file could not be copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.cli.hints import did_you_mean, failed_build_hint, option_hints
from buildctl.errors import SolveError, SourceExcerpt
from buildctl.model.solve import Export, SolveOpt


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("biuld", "did you mean build?"), ("prun", "did you mean prune?"), ("xyz", ""), ("", ""), ("build", "")],
)
def test_near_words(typed: str, hint: str) -> None:
    assert did_you_mean(typed, ["build", "du", "prune", "debug"]) == hint


def test_near_options() -> None:
    attrs = {"traget": "x", "target": "y", "build-args:V": "1", "whatever": "", "label:x": ""}
    assert list(option_hints("dockerfile.v0", attrs)) == [
        "--opt traget: the Dockerfile frontend knows no such option; did you mean target?",
        "--opt build-args:V: the Dockerfile frontend knows no such option; did you mean build-arg?",
    ]
    assert list(option_hints("gateway.v0", attrs)) == []


def opt(folder: Path, **more: object) -> SolveOpt:
    locals_ = {"context": str(folder), "dockerfile": str(folder)}
    return SolveOpt(**{"frontend": "dockerfile.v0", "local_dirs": locals_, **more})  # type: ignore[arg-type]


def failed(text: str, first: int = 2, last: int = 2) -> SolveError:
    return SolveError(
        "failed", excerpts=[SourceExcerpt("Dockerfile", f"FROM scratch\n{text}\n".encode(), ((first, last),))]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("# comment\n*.txt\n")
    (tmp_path / "app.txt").write_text("x")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text("x")
    return tmp_path


COPIES = [
    ("COPY app.txt /", '"app.txt" is excluded by .dockerignore:2: *.txt'),
    ("copy ./app.txt /", '"app.txt" is excluded by .dockerignore:2: *.txt'),
    ('ADD ["app.txt", "/"]', '"app.txt" is excluded by .dockerignore:2: *.txt'),
    ("COPY --chown=1:1 src/mian.py /", '"src/mian.py" is not in the context {}; did you mean "src/main.py"?'),
    ("COPY /nowhere /", '"nowhere" is not in the context {}'),
    ("COPY src /", ""),
    ("COPY --from=base app.txt /", ""),
    ("COPY $FILE *.log /", ""),
    ("ADD https://example.org/x /", ""),
    ("RUN cat app.txt", ""),
    ("COPY 'open", ""),
    ("COPY [1, 2]", ""),
    ("COPY", ""),
    ("COPY ../../../etc/passwd /", '"etc/passwd" is not in the context {}'),
]


@pytest.mark.parametrize(("line", "hint"), COPIES)
def test_copies(line: str, hint: str, folder: Path) -> None:
    assert failed_build_hint(opt(folder), failed(line)) == hint.format(folder)


def test_a_copy_of_several_lines(folder: Path) -> None:
    hint = failed_build_hint(opt(folder), failed("COPY \\\n  app.txt \\\n  /", 2, 4))
    assert hint == '"app.txt" is excluded by .dockerignore:2: *.txt'


def test_ranges_of_a_daemon_that_lies(folder: Path) -> None:
    for first, last in ((-5, -9), (0, 0), (99, 100), (3, 1), (10**30, 10**30)):
        assert failed_build_hint(opt(folder), failed("RUN x", first, last)) == ""


def test_what_was_asked_for(folder: Path) -> None:
    error = SolveError("failed")
    assert (
        failed_build_hint(opt(folder, frontend="dockerfile"), error)
        == "did you mean --frontend dockerfile.v0?"
    )
    assert (
        failed_build_hint(opt(folder, frontend="gatway.v0"), error) == "did you mean --frontend gateway.v0?"
    )
    hint = failed_build_hint(opt(folder, exports=(Export("loacl"),)), error)
    assert hint == "--output type=loacl is unusual; did you mean type=local?"
    assert failed_build_hint(opt(folder, exports=(Export("moby"),)), error) == ""
    assert "--local context=. --local dockerfile=." in failed_build_hint(opt(folder, local_dirs={}), error)
    hint = failed_build_hint(opt(folder, local_dirs={"context": str(folder)}), error)
    assert hint == "no folder with the Dockerfile was offered: add --local dockerfile=."


def test_no_dockerfile(folder: Path) -> None:
    (folder / "Dockerfile").rename(folder / "Dockerfile.dev")
    hint = failed_build_hint(opt(folder), SolveError("failed"))
    assert (
        hint
        == f'there is no "Dockerfile" in {folder}; there is "Dockerfile.dev", which --opt filename= names'
    )
