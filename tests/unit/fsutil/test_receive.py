from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb.fsutil_pb2 import Packet
from buildctl.errors import BuildctlError, ProtocolError, TransferError
from buildctl.fsutil import filemode
from buildctl.fsutil.diskwriter import DiskWriter
from buildctl.fsutil.receive import Mode, Receiver, ReceiveSummary, receive
from tests.support.descriptors import descriptors_in
from tests.support.fsutil_sender import (
    END_OF_LIST,
    FIN,
    Entry,
    ReceiverError,
    data_packet,
    directory,
    expected,
    send,
    stat_packet,
    symlink,
    tree,
)
from tests.support.mounts import small_tmpfs
from tests.support.streams import stream_pair

ROOT = os.geteuid() == 0


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """As a sender walks: sorted by the bytes of each component."""
    return sorted(entries, key=lambda entry: os.fsencode(entry.path).split(b"/"))


HELLO = Entry("hello.txt", content=b"hello\n")

TREE = in_order(
    [
        Entry(" leading space"),
        directory("a", 0o755, mtime=1),
        Entry("a/empty"),
        directory("a/inner", 0o555, mtime=1_000_000_007),
        Entry("a/inner/one", content=b"1", mode=0o400),
        Entry("a/inner/" + "n" * 255, content=b"long name"),
        Entry("a/large", content=os.urandom(5_000_001), mode=0),
        Entry("a/page", content=b"\0" * 32768, mtime=-1_500_000_000),
        Entry("a-b", content=b"after a/*: the slash sorts first"),
        Entry("a.txt", content=b"text"),
        directory("empty", 0),
        Entry("first", content=b"linked", mode=0o640),
        Entry("g", filemode.SETGID | 0o2755 & 0o777, content=b"setgid"),
        symlink("link-absolute", "/etc/hostname"),
        symlink("link-dangling", "no/such/thing"),
        symlink("link-to-dir", "a"),
        Entry("pipe", filemode.NAMED_PIPE | 0o622),
        Entry("s", filemode.SETUID | 0o755, content=b"setuid"),
        Entry("second", linkname="first", mode=0o640),
        directory("sticky", filemode.STICKY | 0o777),
        Entry("t", filemode.SETUID | filemode.SETGID | filemode.STICKY | 0o777),
        Entry("third", linkname="first", mode=0o640),
        Entry("ünïcödé", content="ü".encode()),
        Entry(b"\xff\xfe not utf-8", content=b"\xff"),
    ]
)
DEVICES = [
    Entry("dev-block", filemode.DEVICE | 0o660, devmajor=7, devminor=300),
    Entry("dev-char", filemode.DEVICE | filemode.CHAR_DEVICE | 0o666, devmajor=1, devminor=3),
]


async def transfer(
    entries: Sequence[Entry], destination: Path, *, mode: Mode = "copy", limit: int = 1 << 20, **more: Any
) -> tuple[ReceiveSummary, list[int]]:
    server, client = stream_pair(limit=limit)
    receiving = receive(server.receive_messages, server.send_messages, str(destination), mode=mode, **more)
    summary, requested = await asyncio.gather(receiving, send(client, entries))
    return summary, requested


async def play(
    messages: Sequence[bytes], destination: Path, *, mode: Mode = "copy", keep_privileged: bool = False
) -> tuple[BuildctlError, list[Any]]:
    """Send messages whatever the receiver says; returns how it failed and what it said."""
    server, client = stream_pair()
    await client.send_messages(messages)
    await client.half_close()
    with pytest.raises(BuildctlError) as caught:
        await receive(
            server.receive_messages,
            server.send_messages,
            str(destination),
            mode=mode,
            keep_privileged=keep_privileged,
        )
    await server.half_close()
    said = [Packet.FromString(message) for message in await client.receive_messages()]
    return caught.value, said


class TestTree:
    @pytest.mark.parametrize("limit", [40, 1 << 20], ids=["tight", "wide"])
    async def test_arrives_exactly(self, tmp_path: Path, limit: int) -> None:
        entries = in_order([*TREE, *(DEVICES if ROOT else [])])
        before = os.umask(0o077)
        try:
            summary, requested = await transfer(entries, tmp_path / "out", limit=limit, keep_privileged=True)
        finally:
            os.umask(before)
        assert tree(tmp_path / "out") == expected(entries)
        regular = [n for n, entry in enumerate(entries) if entry.mode & filemode.TYPE_MASK == 0]
        assert sorted(requested) == [n for n in regular if not entries[n].linkname]
        content = sum(len(entry.content) for entry in entries)
        assert summary == ReceiveSummary(len(entries), len(requested), content)

    async def test_without_being_asked_no_file_gets_rights_of_its_own(self, tmp_path: Path) -> None:
        capability = bytes.fromhex("0100000200200000000000000000000000000000")
        entries = in_order(
            [
                *DEVICES,
                Entry("dev-link", linkname="dev-char"),
                Entry("dev-pipe", filemode.NAMED_PIPE | filemode.CHAR_DEVICE | 0o666, devmajor=1, devminor=3),
                Entry("g", filemode.SETGID | 0o755, content=b"setgid"),
                Entry("ping", 0o755, content=b"p", xattrs={b"security.capability": capability}),
                Entry("pipe", filemode.NAMED_PIPE | filemode.SETUID | 0o622),
                Entry("s", filemode.SETUID | filemode.STICKY | 0o755, content=b"setuid"),
                directory("shared", filemode.SETGID | 0o775),
            ]
        )
        summary, _ = await transfer(entries, tmp_path / "out")
        assert (summary.devices, summary.stripped) == (4, 4)
        found = {path: entry.permissions for path, entry in tree(tmp_path / "out").items()}
        assert found == {b"g": 0o755, b"ping": 0o755, b"pipe": 0o622, b"s": 0o1755, b"shared": 0o2775}
        assert not os.listxattr(tmp_path / "out" / "ping")

    async def test_links_share_an_inode_and_all_is_ours(self, tmp_path: Path) -> None:
        await transfer(TREE, tmp_path)
        assert (tmp_path / "second").stat().st_ino == (tmp_path / "first").stat().st_ino
        assert (tmp_path / "first").stat().st_nlink == 3
        for name in ("first", "a", "link-dangling", "pipe"):
            status = (tmp_path / name).lstat()
            assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())

    async def test_twice_is_the_same_as_once(self, tmp_path: Path) -> None:
        await transfer(TREE, tmp_path, keep_privileged=True)
        await transfer(TREE, tmp_path, keep_privileged=True)
        assert tree(tmp_path) == expected(TREE)

    async def test_may_be_empty(self, tmp_path: Path) -> None:
        summary, _ = await transfer([], tmp_path / "a" / "b")
        assert summary == ReceiveSummary(0, 0, 0)
        assert tree(tmp_path / "a" / "b") == {}

    async def test_the_destination_is_created_for_the_user_alone(self, tmp_path: Path) -> None:
        await transfer([HELLO], tmp_path / "a" / "b")
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700

    async def test_the_destination_may_be_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "out").symlink_to("real")
        await transfer([HELLO], tmp_path / "out")
        assert (tmp_path / "real" / "hello.txt").read_bytes() == b"hello\n"

    async def test_progress_counts_what_arrives(self, tmp_path: Path) -> None:
        seen: list[int] = []
        await transfer(TREE, tmp_path, on_progress=seen.append)
        assert seen == sorted(seen)
        assert 5_000_000 < seen[-1] < 5_300_000

    @pytest.mark.skipif(not hasattr(os, "getxattr"), reason="no extended attributes here")
    async def test_extended_attributes_are_kept_where_they_can_be(self, tmp_path: Path) -> None:
        xattrs = {b"user.kind": b"\0\xff", b"no-namespace": b"", b"user.nul\0": b"", b"user.two": b"2"}
        try:
            os.setxattr(tmp_path, "user.probe", b"")
        except OSError:
            pytest.skip("the temporary folder's file system has no user attributes")
        await transfer([Entry("f", content=b"x", xattrs=xattrs)], tmp_path)
        assert os.getxattr(tmp_path / "f", "user.kind") == b"\0\xff"
        assert os.getxattr(tmp_path / "f", "user.two") == b"2"

    async def test_a_thousand_files_at_once_need_few_descriptors(self, tmp_path: Path) -> None:
        files = [Entry(f"f{number:04d}", content=b"abc") for number in range(1000)]
        receiver = Receiver(DiskWriter(str(tmp_path), max_open_files=10))
        before = descriptors_in(tmp_path)
        receiver.open()
        receiver.receive_messages([stat_packet(file) for file in files])
        for part in (b"a", b"b", b"c"):
            receiver.receive_messages([data_packet(number, part) for number in range(1000)])
            assert descriptors_in(tmp_path) <= before + 12
        receiver.receive_messages([data_packet(number) for number in range(1000)])
        receiver.receive_messages([END_OF_LIST])
        assert receiver.said_fin
        assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"abc"}
        assert descriptors_in(tmp_path) == before

    @pytest.mark.parametrize("keep_privileged", [False, True])
    async def test_more_files_than_are_kept_in_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_privileged: bool
    ) -> None:
        monkeypatch.setattr("buildctl.fsutil.receive.REMEMBERED", 3)
        monkeypatch.setattr("buildctl.fsutil.entrylog._TOGETHER", 200)
        mode = filemode.SETUID | 0o711
        entries = [entry for n in range(20) for entry in (directory(f"d{n:02}"), Entry(f"d{n:02}/f", mode))]
        entries += [Entry(f"e{n:02}", linkname=f"d{n:02}/f") for n in range(20)]
        for entry in entries[1:40:2]:
            entry.content = str(entry.path).encode() * 1000
        receiver = Receiver(DiskWriter(str(tmp_path)), keep_privileged=keep_privileged)
        receiver.open()
        wanted = receiver.receive_messages([*map(stat_packet, entries), END_OF_LIST])
        assert list(wanted) == list(range(1, 40, 2))
        for number in reversed(wanted):
            content = entries[number].content
            receiver.receive_messages([data_packet(number, content[:3000])])
            receiver.receive_messages([data_packet(number, content[3000:]), data_packet(number)])
        assert receiver.said_fin
        for n in range(20):
            for path in (tmp_path / f"d{n:02}" / "f", tmp_path / f"e{n:02}"):
                assert path.read_bytes() == entries[2 * n + 1].content
                assert path.stat().st_mode & 0o7777 == (0o4711 if keep_privileged else 0o711)
                assert path.stat().st_nlink == 2
        with pytest.raises(ProtocolError, match="invalid file request 1"):
            receiver.receive_messages([data_packet(1, b"x")])

    async def test_links_to_devices_that_are_left_out_are_left_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("buildctl.fsutil.receive.REMEMBERED", 0)
        entries = [Entry("a", filemode.DEVICE), Entry("b", linkname="a"), symlink("c", "a")]
        receiver = Receiver(DiskWriter(str(tmp_path)))
        receiver.open()
        receiver.receive_messages([*map(stat_packet, entries), END_OF_LIST])
        assert os.listdir(tmp_path) == ["c"]
        assert receiver.summary.devices == 2

    async def test_many_files_are_begun_and_none_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("buildctl.fsutil.receive.MAX_BEGUN", 10)
        files = [Entry(f"f{number:02}", content=b"abc") for number in range(11)]
        begun = [data_packet(number, b"a") for number in range(11)]
        error, _ = await play([*map(stat_packet, files), *begun], tmp_path)
        assert "begins more than 10 files" in str(error)
        assert os.listdir(tmp_path) == []

    async def test_a_path_that_no_system_call_takes(self, tmp_path: Path) -> None:
        error, _ = await play([stat_packet(Entry("x" * 4097))], tmp_path)
        assert "a path of 4,097 bytes" in str(error)

    async def test_a_deep_tree_needs_few_descriptors(self, tmp_path: Path) -> None:
        paths = ["/".join("d" * depth) for depth in range(1, 300)]
        entries = [directory(path) for path in paths] + [Entry(paths[-1] + "/file", content=b"deep")]
        before = descriptors_in(tmp_path)
        receiver = Receiver(DiskWriter(str(tmp_path)))
        receiver.open()
        receiver.receive_messages([stat_packet(entry) for entry in entries])
        assert descriptors_in(tmp_path) < before + 70
        receiver.receive_messages([data_packet(299, b"deep"), data_packet(299), END_OF_LIST])
        assert tree(tmp_path) == expected(entries)


class TestExisting:
    """What is there already is merged with, and never written through."""

    async def test_kinds_replace_each_other(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        (out / "file-for-dir" / "deep").mkdir(parents=True)
        (out / "file-for-dir" / "deep" / "old").write_text("old")
        (out / "dir-for-file").write_text("old")
        (out / "link-for-dir").mkdir()
        (out / "link-for-dir" / "old").write_text("old")
        (out / "pipe-for-file").write_text("old")
        (out / "dirs").mkdir(mode=0o700)
        (out / "dirs" / "stays").write_text("stays")
        os.utime(out / "dirs" / "stays", ns=(5, 5))
        (out / "dirs" / "stays").chmod(0o604)
        entries = [
            directory("dir-for-file", 0o750),
            Entry("dir-for-file/new", content=b"new"),
            directory("dirs", 0o711),
            Entry("file-for-dir", content=b"new"),
            symlink("link-for-dir", "anywhere"),
            Entry("pipe-for-file", filemode.NAMED_PIPE | 0o600),
        ]
        await transfer(entries, out)
        stays = Entry("dirs/stays", 0o604, b"stays", mtime=5)
        assert tree(out) == expected([*entries, stays])

    async def test_links_in_the_way_are_replaced(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "victim").write_text("untouched")
        out = tmp_path / "out"
        out.mkdir()
        (out / "dir").symlink_to(outside)
        (out / "file").symlink_to(outside / "victim")
        (out / "hard").symlink_to(outside / "victim")
        (out / "link").symlink_to(outside / "victim")
        (out / "pipe").symlink_to(outside / "victim")
        before = tree(outside)
        entries = [
            directory("dir"),
            Entry("dir/victim", content=b"new"),
            Entry("file", content=b"new"),
            Entry("hard", linkname="file"),
            symlink("link", "elsewhere"),
            Entry("pipe", filemode.NAMED_PIPE | 0o666),
        ]
        await transfer(entries, out)
        assert tree(out) == expected(entries)
        assert tree(outside) == before

    async def test_another_name_of_an_existing_file_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "other").write_text("old")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "hello.txt").hardlink_to(tmp_path / "other")
        await transfer([HELLO], tmp_path / "out")
        assert (tmp_path / "other").read_text() == "old"
        assert (tmp_path / "out" / "hello.txt").read_text() == "hello\n"


class TestDelete:
    async def test_only_what_was_sent_stays(self, tmp_path: Path) -> None:
        for name in ("a/old/deep", "a/keep", "b", "gone/deep/er", "z/old"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("old")
        (tmp_path / "a" / "link").symlink_to("/etc")
        entries = [
            directory("a"),
            Entry("a/keep", content=b"new"),
            Entry("b", content=b"new"),
            directory("new"),
            directory("new/deep"),
            Entry("new/deep/file", content=b"new"),
            Entry("new/file", content=b"new"),
            directory("z"),
        ]
        summary, requested = await transfer(entries, tmp_path, mode="delete")
        assert tree(tmp_path) == expected(entries)
        assert sorted(requested) == [1, 2, 5, 6]
        assert summary.entries == 8

    async def test_nothing_is_removed_before_all_has_arrived(self, tmp_path: Path) -> None:
        (tmp_path / "old").write_text("old")
        messages = [stat_packet(HELLO), data_packet(0, b"hello\n"), data_packet(0)]
        error, _ = await play(messages, tmp_path, mode="delete")
        assert str(error) == "the sender ended the transfer before it was complete"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["hello.txt", "old"]

    async def test_an_empty_tree_empties_the_destination(self, tmp_path: Path) -> None:
        (tmp_path / "old" / "deep").mkdir(parents=True)
        await transfer([], tmp_path, mode="delete")
        assert tree(tmp_path) == {}


def hostile(*entries: Entry) -> list[bytes]:
    return [*map(stat_packet, entries), END_OF_LIST]


class TestHostileSender:
    @pytest.mark.parametrize(
        ("messages", "text"),
        [
            (hostile(Entry("../x")), 'escape check "../x": invalid argument'),
            (hostile(Entry("..")), 'escape check "..": invalid argument'),
            (hostile(directory("..")), 'escape check "..": invalid argument'),
            (hostile(directory("a"), Entry("a/../../x")), 'unclean path "a/../../x": invalid argument'),
            (hostile(directory("a"), Entry("a/..")), 'unclean path "a/..": invalid argument'),
            (hostile(Entry("/etc/x")), 'absolute path "/etc/x": invalid argument'),
            (hostile(Entry("/x")), 'absolute path "/x": invalid argument'),
            (hostile(Entry("")), 'unclean path "": invalid argument'),
            (hostile(Entry(".")), 'unclean path ".": invalid argument'),
            (hostile(directory(".")), 'unclean path ".": invalid argument'),
            (hostile(Entry("./x")), 'unclean path "./x": invalid argument'),
            (hostile(directory("a/")), 'unclean path "a/": invalid argument'),
            (hostile(Entry("a//b")), 'unclean path "a//b": invalid argument'),
            (hostile(Entry(b"a\0b")), 'path with a NUL byte "a\\x00b": invalid argument'),
            (hostile(Entry("b"), Entry("a")), 'changes out of order: "a" "b"'),
            (hostile(Entry("a"), Entry("a")), 'changes out of order: "a" "a"'),
            (hostile(directory("a"), directory("a")), 'changes out of order: "a" "a"'),
            (hostile(Entry("a/b")), 'changes out of order: "a/b" ""'),
            (hostile(Entry("a"), Entry("a/b")), 'changes out of order: "a/b" "a"'),
            (hostile(directory("a"), Entry("b"), Entry("a/c")), 'changes out of order: "a/c" "b"'),
            (hostile(directory("a"), Entry("a/b"), Entry("a/a")), 'changes out of order: "a/a" "a/b"'),
            (hostile(symlink("a", "/tmp"), Entry("a/b")), 'changes out of order: "a/b" "a"'),
            (hostile(Entry("a", linkname="/etc/passwd")), 'invalid link a to unknown path: "/etc/passwd"'),
            (hostile(Entry("a", linkname="../x")), 'invalid link a to unknown path: "../x"'),
            (hostile(Entry("a", linkname="b"), Entry("b")), 'invalid link a to unknown path: "b"'),
            (hostile(symlink("a", "/x"), Entry("b", linkname="a")), 'invalid link b to unknown path: "a"'),
            (hostile(directory("a"), Entry("b", linkname="a")), 'invalid link b to unknown path: "a"'),
            (hostile(Entry("a", filemode.SOCKET)), "invalid file request a"),
            (hostile(Entry("a", filemode.IRREGULAR)), "invalid file request a"),
            ([data_packet(0, b"x")], "invalid file request 0"),
            ([stat_packet(directory("a")), data_packet(0, b"x")], "invalid file request 0"),
            ([stat_packet(Entry("a")), data_packet(0), data_packet(0)], "invalid file request 0"),
            (
                [stat_packet(HELLO), data_packet(0, b"hello"), data_packet(0)],
                'the sender sent 5 of the 6 bytes of "hello.txt"',
            ),
            (
                [stat_packet(HELLO), data_packet(0, b"hello\n!")],
                'the sender sends more of "hello.txt" than the 6 bytes it announced',
            ),
            ([stat_packet(HELLO), data_packet(4294967295)], "invalid file request 4294967295"),
            ([END_OF_LIST, stat_packet(HELLO)], "the sender sent an entry after the end of the list"),
            ([END_OF_LIST, END_OF_LIST], "the sender ended the list of entries twice"),
            ([FIN], "the sender confirmed an end that was not reached"),
            ([], "the sender ended the transfer before it was complete"),
            ([b"\xff"], "the sender sent what is no packet of file transfer"),
            (
                [Packet(type=Packet.PACKET_REQ).SerializeToString()],
                "the sender sent a packet of type 1, which is not its to send",
            ),
            ([b"\x08\x63"], "the sender sent a packet of type 99, which is not its to send"),
        ],
    )
    async def test_is_refused_and_told(self, tmp_path: Path, messages: list[bytes], text: str) -> None:
        error, said = await play(messages, tmp_path / "out")
        assert isinstance(error, ProtocolError)
        assert str(error) == text
        assert said[-1].type == Packet.PACKET_ERR
        assert said[-1].data.decode() == text
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert not [
            path for path in (tmp_path / "out").rglob("*") if path.is_file() and not path.is_symlink()
        ] or (text == "invalid file request 0")

    @pytest.mark.parametrize(
        ("entry", "text"),
        [
            (symlink("a", b"x\0y"), "failed to symlink {}/a: invalid argument"),
            (Entry("n" * 256), f"failed to write {{}}/{'n' * 256}: file name too long"),
            (
                Entry("a", filemode.DEVICE, devmajor=1 << 40),
                "failed to create device {}/a: invalid argument",
            ),
        ],
    )
    async def test_what_the_disk_cannot_hold_fails_plainly(
        self, tmp_path: Path, entry: Entry, text: str
    ) -> None:
        messages = [stat_packet(entry), *([data_packet(0)] if filemode.is_regular(entry.mode) else [])]
        error, _ = await play(messages, tmp_path, keep_privileged=True)
        assert isinstance(error, TransferError)
        assert str(error) == text.format(tmp_path)

    async def test_a_list_without_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("buildctl.fsutil.entrylog.MAX_ENTRIES", 200)
        few, many = ([stat_packet(Entry(f"{number:04}")) for number in range(size)] for size in (200, 201))
        error, said = await play(few, tmp_path)
        assert "before it was complete" in str(error)
        error, said = await play(many, tmp_path)
        assert "lists more than 200 entries" in str(error)
        assert said[-1].type == Packet.PACKET_ERR
        monkeypatch.setattr("buildctl.fsutil.entrylog.MAX_BYTES", 10_000)
        error, _ = await play([stat_packet(Entry(f"{number:04000}")) for number in range(3)], tmp_path)
        assert "lists more than" in str(error)

    async def test_an_error_of_the_sender_is_passed_on(self, tmp_path: Path) -> None:
        packet = Packet(type=Packet.PACKET_ERR, data=b"no \xff left").SerializeToString()
        error, _ = await play([packet], tmp_path)
        assert isinstance(error, TransferError)
        assert str(error) == "error from sender: no \\xff left"


class TestFailure:
    """A transfer that ends early leaves no half file."""

    HALF = (
        stat_packet(Entry("half", content=b"half of it, and the rest")),
        stat_packet(HELLO),
        stat_packet(Entry("none")),
        stat_packet(Entry("other-name", linkname="half")),
        data_packet(1, b"hello\n"),
        data_packet(1),
        data_packet(0, b"half of it"),
    )

    async def test_the_stream_ends(self, tmp_path: Path) -> None:
        error, _ = await play(self.HALF, tmp_path)
        assert isinstance(error, ProtocolError)
        assert [path.name for path in tmp_path.iterdir()] == ["hello.txt"]

    async def test_the_stream_breaks(self, tmp_path: Path) -> None:
        server, client = stream_pair()
        receiving = asyncio.create_task(receive(server.receive_messages, server.send_messages, str(tmp_path)))
        await client.send_messages(self.HALF)
        await wait_for(lambda: has_temporary(tmp_path))
        await client.reset()
        with pytest.raises(ProtocolError, match="the call was reset"):
            await receiving
        assert [path.name for path in tmp_path.iterdir()] == ["hello.txt"]

    async def test_it_is_cancelled(self, tmp_path: Path) -> None:
        (tmp_path / "half").write_text("what was there")
        server, client = stream_pair()
        receiving = asyncio.create_task(receive(server.receive_messages, server.send_messages, str(tmp_path)))
        await client.send_messages(self.HALF)
        await wait_for(lambda: has_temporary(tmp_path))
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert sorted(path.name for path in tmp_path.iterdir()) == ["half", "hello.txt"]
        assert (tmp_path / "half").read_text() == "what was there"

    async def test_it_is_cancelled_twice(self, tmp_path: Path) -> None:
        """The second Ctrl-C comes while the first is cleaned up after, in the middle of a large batch."""
        server, client = stream_pair(limit=1 << 30)
        receiving = asyncio.create_task(receive(server.receive_messages, server.send_messages, str(tmp_path)))
        numbers = range(3_000)
        await client.send_messages(stat_packet(Entry(f"{number:04}", content=b"x")) for number in numbers)
        await client.receive_messages()
        async with server._incoming.changed:  # all of it at once
            server._incoming.messages += [
                data_packet(number, data) for number in numbers for data in (b"x", b"")
            ]
            server._incoming.changed.notify_all()
        await wait_for(lambda: len(os.listdir(tmp_path)) > 10)
        receiving.cancel()
        await asyncio.sleep(0)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        left = os.listdir(tmp_path)
        assert len(left) < len(numbers)
        assert not has_temporary(tmp_path)
        await asyncio.sleep(0.05)
        assert os.listdir(tmp_path) == left
        assert descriptors_in(tmp_path) == 0

    async def test_a_sender_that_does_not_read_cannot_hold_it_up(self, tmp_path: Path) -> None:
        server, client = stream_pair(limit=3)
        receiving = asyncio.create_task(receive(server.receive_messages, server.send_messages, str(tmp_path)))
        for message in [*(stat_packet(Entry(f"f{n}")) for n in range(5)), stat_packet(Entry("a"))]:
            await client.send_messages([message])
        with pytest.raises(ProtocolError, match="out of order"):
            await asyncio.wait_for(receiving, 5)

    @pytest.mark.skipif(not ROOT, reason="mounting a small file system needs root")
    async def test_the_disk_is_full(self, tmp_path: Path) -> None:
        with small_tmpfs(tmp_path / "small", 1 << 20) as out:
            big = Entry("big", content=os.urandom(2 << 20))
            server, client = stream_pair()
            sending = asyncio.create_task(send(client, [big, HELLO]))
            with pytest.raises(TransferError) as caught:
                await receive(server.receive_messages, server.send_messages, str(out))
            text = f"failed to write {out}/big: no space left on device"
            assert str(caught.value) == text
            assert "free some space" in caught.value.hint
            with pytest.raises(ReceiverError, match=text):
                await sending
            assert "big" not in os.listdir(out)
            assert not has_temporary(out)

    async def test_the_destination_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        error, _ = await play([END_OF_LIST], tmp_path / "file" / "out")
        assert str(error) == (f"failed to create synctarget dest dir {tmp_path}/file/out: not a directory")
        error, _ = await play([END_OF_LIST], tmp_path / "file")
        assert str(error) == f"failed to open synctarget dest root {tmp_path}/file: not a directory"
        assert error.hint == "what is there is not a directory; remove it, or choose another destination"

    @pytest.mark.skipif(not ROOT, reason="only root can become someone else")
    def test_without_privileges_directories_may_be_read_only(self, tmp_path: Path) -> None:
        """A directory gets its mode when all is in it, so 0555 is no obstacle to its owner."""
        entries = [directory("a", 0o555), directory("a/b", 0), Entry("a/b/file", 0o400, b"x"), Entry("c", 0)]
        os.chmod(tmp_path, 0o777)
        for parent in tmp_path.parents[:-2]:  # all below /tmp
            os.chmod(parent, os.stat(parent).st_mode | 0o011)
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                receiver = Receiver(DiskWriter(str(tmp_path / "out")))
                receiver.open()
                receiver.receive_messages([stat_packet(entry) for entry in entries])
                receiver.receive_messages([data_packet(2, b"x"), data_packet(2), data_packet(3), END_OF_LIST])
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert tree(tmp_path / "out") == expected(entries)
        assert (tmp_path / "out" / "a" / "b" / "file").stat().st_uid == 65534


def has_temporary(folder: Path) -> bool:
    return any(name.startswith(".tmp.") for name in os.listdir(folder))


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
