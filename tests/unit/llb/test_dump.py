"""dump-llb: JSON in Go's form and graphs, on definitions of every kind of op."""

import hashlib
import json

import pytest

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.dump import dump_dot, dump_json


def definition(*ops: ops_pb2.Op) -> bytes:
    message = ops_pb2.Definition()
    getattr(message, "def").extend(op.SerializeToString() for op in ops)
    message.metadata[digest(ops[0])].caps["source.local"] = True
    return message.SerializeToString()


def digest(op: ops_pb2.Op) -> str:
    return "sha256:" + hashlib.sha256(op.SerializeToString()).hexdigest()


def source(identifier: str = "local://src") -> ops_pb2.Op:
    op = ops_pb2.Op(platform=ops_pb2.Platform(Architecture="amd64", OS="linux"))
    op.source.identifier = identifier
    return op


def test_a_source_reads_as_the_reference_prints_it() -> None:
    op = source()
    assert list(dump_json(definition(op))) == [
        b'{"Op":{"Op":{"source":{"identifier":"local://src"}},"platform":{"Architecture":"amd64","OS":"linux"}},'
        b'"Digest":"' + digest(op).encode() + b'","OpMetadata":{"caps":{"source.local":true}}}\n'
    ]


def test_exec_file_and_final_op() -> None:
    base = source()
    run = ops_pb2.Op(inputs=[ops_pb2.Input(digest=digest(base))])
    run.exec.meta.args.extend(["/bin/sh", "-c", "a<b"])
    run.exec.meta.proxy_env.http_proxy = "p"
    run.exec.mounts.add(dest="/", output=0)
    run.exec.mounts.add(input=0, dest="/src", mountType=ops_pb2.CACHE)
    run.exec.network = ops_pb2.NONE
    copy = ops_pb2.Op(inputs=[ops_pb2.Input(digest=digest(run), index=1)])
    action = copy.file.actions.add(secondaryInput=-1)
    action.mkfile.path, action.mkfile.data = "/f", b"\x00\xff"
    action.mkfile.owner.user.byID = 7
    action.mkfile.owner.group.byName.name = "staff"
    copy.file.actions.add().symlink.oldpath = "/a"
    end = ops_pb2.Op(inputs=[ops_pb2.Input(digest=digest(copy))])
    lines = [json.loads(line)["Op"] for line in dump_json(definition(base, run, copy, end))]
    assert lines[1]["Op"]["exec"] == {
        "meta": {"args": ["/bin/sh", "-c", "a<b"], "proxy_env": {"http_proxy": "p"}},
        "mounts": [{"dest": "/"}, {"dest": "/src", "mountType": 3}],
        "network": 2,
    }
    assert lines[2]["inputs"] == [{"digest": digest(run), "index": 1}]
    owner = {"user": {"User": {"byId": 7}}, "group": {"User": {"byName": {"name": "staff"}}}}
    mkfile = {"path": "/f", "data": "AP8=", "owner": owner}
    assert lines[2]["Op"]["file"]["actions"] == [
        {"input": 0, "secondaryInput": -1, "output": 0, "Action": {"mkfile": mkfile}},
        {"input": 0, "secondaryInput": 0, "output": 0, "Action": {}},
    ]
    assert lines[3] == {"inputs": [{"digest": digest(copy)}], "Op": {}}
    assert b"a\\u003cb" in b"".join(dump_json(definition(base, run)))


def test_a_graph() -> None:
    base = source('docker-image://x"y')
    run = ops_pb2.Op(inputs=[ops_pb2.Input(digest=digest(base))])
    run.exec.meta.args.extend(["make", "all"])
    run.exec.mounts.add(input=0, dest="/src")
    copy = ops_pb2.Op(inputs=[ops_pb2.Input(digest=digest(run))])
    copied = copy.file.actions.add().copy
    copied.src, copied.dest = "/a", "/b"
    copy.file.actions.add().rm.path = "/c"
    end = ops_pb2.Op(inputs=[ops_pb2.Input(digest=digest(copy))])
    assert b"".join(dump_dot(definition(base, run, copy, end))).decode().splitlines() == [
        "digraph {",
        f'  "{digest(base)}" [label="docker-image://x\\"y" shape="ellipse"];',
        f'  "{digest(run)}" [label="make all" shape="box"];',
        f'  "{digest(copy)}" [label="copy{{src=/a, dest=/b}},rm{{path=/c}}" shape="note"];',
        f'  "{digest(end)}" [label="{digest(end)}" shape="plaintext"];',
        f'  "{digest(base)}" -> "{digest(run)}" [label="/src"];',
        f'  "{digest(run)}" -> "{digest(copy)}" [label=""];',
        f'  "{digest(copy)}" -> "{digest(end)}" [label=""];',
        "}",
    ]


def test_nothing_is_dumped_of_nothing() -> None:
    assert list(dump_json(b"")) == []


def test_refuse() -> None:
    with pytest.raises(UsageError, match="^proto: "):
        list(dump_json(b"garbage"))
    message = ops_pb2.Definition()
    getattr(message, "def").append(b"garbage")
    with pytest.raises(UsageError, match="^failed to parse op: proto: "):
        list(dump_json(message.SerializeToString()))
