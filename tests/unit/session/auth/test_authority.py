"""Keys by which a daemon knows a user again: seeds on disk, signatures that cryptography accepts."""

from __future__ import annotations

import base64
import hmac
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from buildctl.session.auth.authority import Seeds, public_key, sign


def test_a_key_follows_from_salt_and_seed() -> None:
    key = Ed25519PrivateKey.from_private_bytes(hmac.digest(b"salt", b"seed", "sha256"))
    assert public_key(b"salt", b"seed") == key.public_key().public_bytes_raw()
    assert sign(b"payload", b"salt", b"seed") == key.sign(b"payload") + b"payload"
    assert len({public_key(salt, seed) for salt in (b"", b"s") for seed in (b"", b"t")}) == 4


@pytest.mark.parametrize("payload", [b"", b"x" * 100_000])
def test_the_signature_comes_before_the_payload(payload: bytes) -> None:
    signed = sign(payload, b"salt", b"")
    Ed25519PublicKey.from_public_bytes(public_key(b"salt", b"")).verify(signed[:64], payload)
    assert signed[64:] == payload


def test_seeds_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "docker"
    mask = os.umask(0)  # as the command line has it
    try:
        seed = Seeds(str(folder)).seed("a.example")
    finally:
        os.umask(mask)
    assert len(seed) == 16
    other = Seeds(str(folder)).seed("b.example")
    assert Seeds(str(folder)).seed("a.example") == seed != other
    file = folder / ".token_seed"
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}
    lines = [
        "{",
        *('  "a.example": {', f'    "Seed": "{base64.b64encode(seed).decode()}"', "  },"),
        *('  "b.example": {', f'    "Seed": "{base64.b64encode(other).decode()}"', "  }"),
        "}",
    ]
    assert file.read_text() == "\n".join(lines)


def test_a_seed_of_the_reference_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".token_seed").write_text('{"h":{"Seed":"AAECAwQFBgcICQoLDA0ODw=="}}')
    assert Seeds(str(tmp_path)).seed("h") == bytes(range(16))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"h": 1}', '{"h": {"Seed": 1}}', '{"h": {"Seed": "!"}}'])
def test_a_broken_file_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / ".token_seed").write_text(text)
    seed = Seeds(str(tmp_path)).seed("h")
    assert base64.b64decode(json.loads((tmp_path / ".token_seed").read_text())["h"]["Seed"]) == seed


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    seeds = Seeds(str(tmp_path / "file" / "below"))
    assert len(seeds.seed("h")) == 16
    assert seeds.seed("h") == seeds.seed("h") != seeds.seed("i")


def _seed(folder: str, host: str) -> bytes:
    return Seeds(folder).seed(host)


def test_processes_do_not_lose_each_others_seeds(tmp_path: Path) -> None:
    hosts = [f"h{number % 8}" for number in range(32)]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        seeds = pool.starmap(_seed, [(str(tmp_path), host) for host in hosts])
    assert len(set(zip(hosts, seeds, strict=True))) == 8


def test_the_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / ".token_seed"
    entry = {"Seed": base64.b64encode(bytes(16)).decode()}
    entries = {f"h{number:04}": entry for number in range(1200)} | {
        "x" * 60_000: entry,
        "y": {"Seed": "A" * 60_000},
    }
    path.write_text(json.dumps(entries))
    seed = Seeds(str(tmp_path)).seed("new")
    kept = json.loads(path.read_text())
    assert len(kept) == 1000
    assert base64.b64decode(kept["new"]["Seed"]) == seed
    assert path.stat().st_size < 100_000
    assert Seeds(str(tmp_path)).seed("h1199") == bytes(16)


@pytest.mark.parametrize("kind", ["pipe", "large"])
def test_what_is_not_a_small_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".token_seed"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    folder = str(tmp_path)
    assert len(Seeds(folder).seed("h")) == 16
    assert Seeds(folder).seed("h") == Seeds(folder).seed("h")


def test_it_is_replaced_whole(tmp_path: Path) -> None:
    """A reader sees the old file or the new one, and one that is open keeps what it had."""
    first = Seeds(str(tmp_path)).seed("a")
    path = tmp_path / ".token_seed"
    before = path.stat().st_ino
    with path.open() as reader:
        Seeds(str(tmp_path)).seed("b")
        assert list(json.load(reader)) == ["a"]
    assert path.stat().st_ino != before
    assert Seeds(str(tmp_path)).seed("a") == first
    assert sorted(os.listdir(tmp_path)) == [".token_seed", ".token_seed.lock"]


def test_a_link_to_it_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / ".token_seed").symlink_to("dotfiles/seeds")
    seed = Seeds(str(tmp_path)).seed("a")
    assert (tmp_path / ".token_seed").is_symlink()
    assert base64.b64decode(json.loads((tmp_path / "dotfiles" / "seeds").read_text())["a"]["Seed"]) == seed
