"""`docker build`'s words become a request: what each stands for, and what is refused."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buildctl.client.dockeroptions import DockerBuild, Prepared, prepare
from buildctl.errors import UsageError
from buildctl.model.context import Context, File, Tree
from buildctl.model.offer import AgentSource, SecretSource
from buildctl.model.output import Output
from buildctl.model.solve import CacheEntry, StreamDestination

IGNORED = "*.log\n"


def prepared(on_engine: bool = False, stream: StreamDestination | None = None, **fields: Any) -> Prepared:
    return prepare(DockerBuild(**fields), on_engine=on_engine, load_stream=stream)


def exported(on_engine: bool = False, **fields: Any) -> list[tuple[str, dict[str, str]]]:
    found = prepared(on_engine, **fields).opt.exports
    return [(export.type, dict(export.attrs)) for export in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app" / "docker").mkdir(parents=True)
    (tmp_path / "app" / "docker" / "dev").write_text("FROM scratch")
    (tmp_path / "here.Dockerfile").write_text("FROM scratch")
    return tmp_path


def test_a_folder_is_offered_as_it_is(folder: Path) -> None:
    opt = prepared(context="app").opt
    assert (opt.frontend, opt.local_dirs) == ("dockerfile.v0", {"context": "app", "dockerfile": "app"})
    assert (opt.frontend_attrs, opt.exports) == ({}, ())
    assert prepared(context=folder / "app").opt.local_dirs["context"] == str(folder / "app")


def test_files_in_memory_are_both_locals() -> None:
    opt = prepared(context=Context.files({"Dockerfile": "FROM scratch"})).opt
    assert opt.local_dirs["context"] == opt.local_dirs["dockerfile"] == Tree({"Dockerfile": b"FROM scratch"})


@pytest.mark.parametrize("text", ["FROM scratch", "from x AS y", " ARG V=1", "# syntax=x\nFROM y"])
def test_a_dockerfile_as_text(text: str, folder: Path) -> None:
    opt = prepared(context="app", dockerfile=text).opt
    assert opt.local_dirs == {"context": "app", "dockerfile": Tree({"Dockerfile": text})}
    assert "filename" not in opt.frontend_attrs


@pytest.mark.parametrize(
    ("dockerfile", "local", "name"),
    [
        ("here.Dockerfile", ".", "here.Dockerfile"),  # from here, as docker has it
        ("docker/dev", "app/docker", "dev"),  # else within the context, as docker-py has it
        (Path("app/docker/dev"), "app/docker", "dev"),
    ],
)
def test_a_dockerfile_by_path(dockerfile: Any, local: str, name: str, folder: Path) -> None:
    opt = prepared(context="app", dockerfile=dockerfile).opt
    assert opt.local_dirs == {"context": "app", "dockerfile": local}
    assert opt.frontend_attrs == {"filename": name}


def test_a_dockerfile_in_memory_by_name() -> None:
    opt = prepared(context=Context.files({"a/b": "FROM scratch"}), dockerfile="a/b").opt
    assert opt.frontend_attrs == {"filename": "a/b"}
    assert opt.local_dirs["dockerfile"] == opt.local_dirs["context"]


def test_ignore_rules_hold_whatever_the_folder_has(folder: Path) -> None:
    """The frontend reads `NAME.dockerignore` beside the Dockerfile first, else that of the context."""
    opt = prepared(context=Context.directory("app", ignore=["*.log"]), dockerfile="here.Dockerfile").opt
    assert opt.local_dirs["context"] == Tree({".dockerignore": "*.log"}, "app")
    assert opt.local_dirs["dockerfile"] == Tree({"here.Dockerfile.dockerignore": "*.log"}, ".")
    opt = prepared(context=Context.directory("app", ignore=IGNORED)).opt
    assert opt.local_dirs["dockerfile"] == Tree({"Dockerfile.dockerignore": IGNORED}, "app")
    opt = prepared(context=Context.directory("app", ignore=IGNORED), dockerfile="FROM scratch").opt
    nodes = {"Dockerfile": "FROM scratch", "Dockerfile.dockerignore": IGNORED}
    assert opt.local_dirs["dockerfile"] == Tree(nodes)


def test_what_the_daemon_fetches(folder: Path) -> None:
    opt = prepared(context="https://example.org/app.git#main").opt
    assert (opt.frontend_attrs, opt.local_dirs) == ({"context": "https://example.org/app.git#main"}, {})
    git = Context.git("git@example.org:app.git", ref="v1", subdir="src")
    opt = prepared(context=git, dockerfile="FROM scratch").opt
    assert opt.frontend_attrs == {"context": "git@example.org:app.git#v1:src", "dockerfilekey": "dockerfile"}
    assert opt.local_dirs == {"dockerfile": Tree({"Dockerfile": "FROM scratch"})}
    assert (
        prepared(context=git, dockerfile="sub/Dockerfile").opt.frontend_attrs["filename"] == "sub/Dockerfile"
    )


def test_archives_are_uploaded_and_files_of_others_stay_open(folder: Path) -> None:
    (folder / "a.tar").write_bytes(b"archive")
    file = io.BytesIO(b"archive")
    for archive in (b"archive", file, "a.tar", folder / "a.tar"):
        done = prepared(context=Context.tar(archive))
        assert done.uploads is not None
        assert done.opt.frontend_attrs["context"].startswith("http://buildkit-session/")
        done.uploads.close()
    assert not file.closed
    with pytest.raises(UsageError, match="there is no archive"):
        prepared(context=Context.tar("nope.tar"))


def test_without_a_context_a_dockerfile_has_an_empty_one_and_other_frontends_none() -> None:
    assert prepared(dockerfile="FROM x").opt.local_dirs["context"] == Tree({})
    opt = prepared(frontend="gateway.v0", attrs={"source": "example.org/fe"}).opt
    assert (opt.local_dirs, opt.frontend_attrs) == ({}, {"source": "example.org/fe"})


def test_named_contexts(folder: Path) -> None:
    layout = folder / "layout"
    layout.mkdir()
    entry = {"digest": f"sha256:{'a' * 64}", "annotations": {"org.opencontainers.image.ref.name": "1"}}
    (layout / "index.json").write_text(json.dumps({"manifests": [entry]}))
    opt = prepared(
        context="app",
        contexts={
            "base": "docker-image://busybox",
            "src": folder / "app",
            "dockerfile": Context.files({"x": File(b"y")}),
            "oci": f"oci-layout://{layout}:1",
            "git": Context.git("https://example.org/x.git"),
        },
    ).opt
    assert opt.frontend_attrs == {
        "frontend.caps": "moby.buildkit.frontend.contexts+forward",
        "context:base": "docker-image://busybox",
        "context:src": "local:src",
        "context:dockerfile": "local:dockerfile-named",
        "context:oci": f"oci-layout://context-oci@sha256:{'a' * 64}",
        "context:git": "https://example.org/x.git",
    }
    assert set(opt.local_dirs) == {"context", "dockerfile", "src", "dockerfile-named"}
    assert opt.oci_layouts == {"context-oci": str(layout)}


def test_options_of_the_frontend() -> None:
    opt = prepared(
        dockerfile="FROM x",
        target="test",
        build_args={"A": "1"},
        labels={"l": "v"},
        platforms=["linux/amd64", "linux/arm64"],
        no_cache=["a", "b"],
        pull=True,
        network="host",
        provenance="mode=max",
        sbom=True,
        attrs={"hostname": "h", "target": "last word"},
    ).opt
    assert opt.frontend_attrs == {
        "target": "last word",
        "build-arg:A": "1",
        "label:l": "v",
        "platform": "linux/amd64,linux/arm64",
        "no-cache": "a,b",
        "image-resolve-mode": "pull",
        "force-network-mode": "host",
        "attest:provenance": "mode=max",
        "attest:sbom": "",
        "hostname": "h",
    }
    assert opt.entitlements == ("network.host",)
    assert prepared(dockerfile="FROM x", no_cache=True).opt.frontend_attrs == {"no-cache": ""}


def test_where_images_go() -> None:
    """buildx's rules: tags name the outputs that take names, and make one where there is none."""
    assert exported(tags=["a", "b:1"]) == [("image", {"name": "a,b:1"})]
    assert exported(True, tags=["a"]) == [("moby", {"name": "a"})]
    assert exported(True, tags=["a"], load=True) == [("moby", {"name": "a"})]
    assert exported(tags=["a"], push=True) == [("image", {"name": "a", "push": "true"})]
    assert exported(tags=["a"], output=Output.local("out")) == [("local", {})]
    both = exported(tags=["a"], push=True, output=[Output.local("out"), Output.oci("x.tar", name="b")])
    assert both == [("local", {}), ("oci", {"name": "b"}), ("image", {"name": "a", "push": "true"})]
    stream = StreamDestination(lambda _: io.BytesIO())
    (loaded,) = prepared(stream=stream, tags=["a"]).opt.exports
    assert loaded == Output("docker", {"name": "a"}, stream)
    annotated = exported(tags=["a"], annotations={"k": "v", "index[linux/amd64]:x": "y"})
    assert annotated == [
        ("image", {"name": "a", "annotation.k": "v", "annotation-index[linux/amd64].x": "y"})
    ]


def test_attributes_are_written_as_the_daemon_reads_them() -> None:
    output = Output.image("a", oci_mediatypes=True, compression="zstd", compression_level=3)
    assert output.attrs == {
        "name": "a",
        "oci-mediatypes": "true",
        "compression": "zstd",
        "compression-level": "3",
    }
    assert Output.local("out", "delete").attrs == {"mode": "delete"}


def test_caches_secrets_and_agents(folder: Path) -> None:
    (folder / "s").write_text("from a file")
    done = prepared(
        cache_from=["example.org/c", CacheEntry("local", {"src": "c"})],
        cache_to=["inline"],
        secrets={"a": "s3cret", "b": b"\0", "c": Path("s"), "d": SecretSource("x", env="V")},
        ssh=["default"],
    )
    imports = (CacheEntry("registry", {"ref": "example.org/c"}), CacheEntry("local", {"src": "c"}))
    assert (done.opt.cache_imports, done.opt.cache_exports) == (imports, (CacheEntry("inline"),))
    assert done.secrets == (
        SecretSource("a", value=b"s3cret"),
        SecretSource("b", value=b"\0"),
        SecretSource("c", path="s"),
        SecretSource("d", env="V"),
    )
    assert done.agents == (AgentSource("default"),)
    assert prepared(ssh={"git": "id"}).agents == (AgentSource("git", ("id",)),)
    assert "s3cret" not in repr(done.secrets) + repr(DockerBuild(secrets={"a": "s3cret"}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"context": "nowhere"}, 'the context "nowhere" is not there'),
        ({"context": "here.Dockerfile"}, 'the context "here.Dockerfile" is a file'),
        (
            {"context": "app", "dockerfile": "nope"},
            'there is no Dockerfile "nope" in this folder or below app',
        ),
        ({"tags": [""]}, "invalid tag"),
        ({"push": True}, "an image without a name cannot be pushed"),
        ({"network": "bridge"}, 'unsupported network "bridge"'),
        ({"annotations": {"a": "b"}}, "annotations need an image"),
        ({"cache_from": ["type=local,src=x"]}, "not the name of an image"),
        ({"secrets": {"a": Path("nope")}}, "failed to stat nope: no such file or directory"),
        ({"secrets": {"a": bytes(600 * 1024)}}, "secret a too big. max size 500KiB"),
        ({"contexts": {"": "app"}}, "invalid name of a context"),
        ({"contexts": {"x": "oci-layout://nope@sha256:0"}}, "there is no OCI layout"),
    ],
)
def test_refused_before_a_daemon_is_asked(fields: dict[str, Any], message: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        prepared(**fields)
    assert "--" not in refused.value.hint, "there are no flags here"


@pytest.mark.parametrize("name", ["tags", "platforms", "cache_from", "ssh"])
def test_one_text_in_place_of_several_is_a_mistake(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        prepare(DockerBuild(**{name: "example.org/app"}), on_engine=False)  # type: ignore[arg-type]


def test_a_value_that_is_not_text_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="build-arg"):
        prepared(build_args={"A": 1})
    with pytest.raises(TypeError, match="a context is"):
        prepared(context=replace)
