"""TLS files are found, read and checked, in the reference's words."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import pytest
import trustme

from buildctl.errors import BuildctlError, ConnectError, UsageError
from buildctl.model.address import TLSOptions
from buildctl.model.pem import Block
from buildctl.transport.tls import load_tls, read_authorities, read_pair

NO_CA = "failed to append ca certs: "
NO_PAIR = "could not read certificate/key: tls: "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an authority and a pair, under names that no rule looks for."""
    authority = trustme.CA()
    certificate = authority.issue_cert("client")
    authority.cert_pem.write_to_path(tmp_path / "authority")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate")
    certificate.private_key_pem.write_to_path(tmp_path / "secret")
    trustme.CA().issue_cert("other").private_key_pem.write_to_path(tmp_path / "other")
    rsa = trustme.CA().issue_cert("rsa", key_type=trustme.KeyType.RSA)
    rsa.private_key_pem.write_to_path(tmp_path / "rsa")
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").touch()
    pem = authority.cert_pem.bytes()
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbf" + pem)
    (tmp_path / "der").write_bytes(ssl.PEM_cert_to_DER_cert(pem.decode()))
    (tmp_path / "hollow").write_bytes(Block("CERTIFICATE", b"hollow").armoured())
    (tmp_path / "hollow-key").write_bytes(Block("PRIVATE KEY", b"hollow").armoured())
    (tmp_path / "locked").write_bytes(Block("ENCRYPTED PRIVATE KEY", b"0").armoured())
    return tmp_path


def test_none_wanted() -> None:
    assert load_tls(TLSOptions(server_name="x")) is None


def test_read(folder: Path) -> None:
    files = load_tls(
        TLSOptions(str(folder / "authority"), str(folder / "certificate"), str(folder / "secret"))
    )
    assert files is not None
    assert files.ca == (folder / "authority").read_bytes()
    assert files.cert == (folder / "certificate").read_bytes()
    assert files.key == (folder / "secret").read_bytes()


@pytest.mark.parametrize(
    "names",
    [("ca.pem", "cert.pem", "key.pem"), ("ca.crt", "tls.crt", "tls.key"), ("ca.crt", "cert.pem", "tls.key")],
)
def test_directory(folder: Path, names: tuple[str, str, str]) -> None:
    for name, source in zip(names, ("authority", "certificate", "secret"), strict=True):
        (folder / name).write_bytes((folder / source).read_bytes())
    (folder / "ca.crt").touch()  # never looked at where ca.pem is
    if names[0] == "ca.crt":
        (folder / "ca.crt").write_bytes((folder / "authority").read_bytes())
    files = load_tls(TLSOptions(directory=str(folder)))
    assert files is not None
    assert (files.cert_path, files.key_path) == (str(folder / names[1]), str(folder / names[2]))


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ((), "directory did not contain one of the needed files: ca.pem or ca.crt"),
        (("ca.pem",), "directory did not contain one of the needed files: cert.pem or tls.crt"),
        (("ca.crt", "tls.crt"), "directory did not contain one of the needed files: key.pem or tls.key"),
    ],
)
def test_incomplete_directory(tmp_path: Path, present: tuple[str, ...], message: str) -> None:
    for name in present:
        (tmp_path / name).touch()
    with pytest.raises(ConnectError) as caught:
        load_tls(TLSOptions(directory=str(tmp_path)))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            TLSOptions(directory="d", key="k"),
            UsageError,
            "cannot specify tlsdir and tlscacert/tlscert/tlskey at the same time",
        ),
        (
            TLSOptions(ca="missing.pem"),
            ConnectError,
            "could not read ca certificate: open missing.pem: no such file or directory",
        ),
        (TLSOptions(ca="."), ConnectError, "could not read ca certificate: read .: is a directory"),
        (TLSOptions(ca="junk"), ConnectError, f"{NO_CA}junk: it holds no PEM certificate"),
        (TLSOptions(ca="empty"), ConnectError, f"{NO_CA}empty: it is empty"),
        (TLSOptions(ca="/dev/null"), ConnectError, f"{NO_CA}/dev/null: it is empty"),
        (
            TLSOptions(ca="bom"),
            ConnectError,
            f"{NO_CA}bom: it begins with a byte order mark; save it without",
        ),
        (TLSOptions(ca="binary"), ConnectError, f"{NO_CA}binary: it is UTF-16; save it as ASCII or UTF-8"),
        (
            TLSOptions(ca="der"),
            ConnectError,
            f"{NO_CA}der: it is DER or PKCS#12; convert it to PEM with openssl",
        ),
        (TLSOptions(ca="secret"), ConnectError, f"{NO_CA}secret: it holds no PEM certificate"),
        (TLSOptions(ca="hollow"), ConnectError, f"{NO_CA}hollow: it holds no PEM certificate"),
        (
            TLSOptions(ca="/dev/zero"),
            ConnectError,
            "could not read ca certificate: read /dev/zero: it has more than 16777216 bytes, "
            "the most that is read of it",
        ),
        (
            TLSOptions(ca="authority", cert="certificate"),
            ConnectError,
            "could not read certificate/key: open : no such file or directory",
        ),
        (
            TLSOptions(ca="authority", cert="certificate", key="other"),
            ConnectError,
            f"{NO_PAIR}private key does not match public key: certificate, other",
        ),
        (
            TLSOptions(ca="authority", cert="certificate", key="rsa"),
            ConnectError,
            f"{NO_PAIR}private key type does not match public key type: certificate, rsa",
        ),
        (
            TLSOptions(ca="authority", cert="junk", key="secret"),
            ConnectError,
            f"{NO_PAIR}failed to find any PEM data in certificate input: junk",
        ),
        (
            TLSOptions(ca="authority", cert="empty", key="secret"),
            ConnectError,
            f"{NO_PAIR}failed to find any PEM data in certificate input: it is empty: empty",
        ),
        (
            TLSOptions(ca="authority", cert="secret", key="certificate"),
            ConnectError,
            f"{NO_PAIR}failed to find certificate PEM data in certificate input, but did find a private key; "
            "PEM inputs may have been switched: secret",
        ),
        (
            TLSOptions(ca="authority", cert="certificate", key="certificate"),
            ConnectError,
            f"{NO_PAIR}found a certificate rather than a key in the PEM for the private key: certificate",
        ),
        (
            TLSOptions(ca="authority", cert="certificate", key="junk"),
            ConnectError,
            f"{NO_PAIR}failed to find any PEM data in key input: junk",
        ),
        (
            TLSOptions(ca="authority", cert="certificate", key="locked"),
            ConnectError,
            f"{NO_PAIR}failed to parse private key: it has a passphrase: locked",
        ),
        (
            TLSOptions(ca="authority", cert="certificate", key="hollow-key"),
            ConnectError,
            f"{NO_PAIR}failed to parse certificate or private key: certificate, hollow-key",
        ),
    ],
)
def test_refused(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: TLSOptions,
    kind: type[BuildctlError],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(kind) as caught:
        load_tls(options)
    assert str(caught.value) == message


def test_pem_as_it_comes(folder: Path) -> None:
    """With CR LF, text around it, other blocks, and a certificate that no library reads among good ones."""
    good = (folder / "authority").read_bytes()
    spoiled = b"Subject: me\r\n" + good.replace(b"\n", b"\r\n") + (folder / "hollow").read_bytes() + good
    (folder / "bundle").write_bytes(spoiled)
    assert read_authorities(str(folder / "bundle")) == good * 2
    both = (folder / "secret").read_bytes() + (folder / "certificate").read_bytes()
    (folder / "both").write_bytes(both.replace(b"\n", b"\r\n"))
    cert, key = read_pair(str(folder / "both"), str(folder / "both"))
    assert (cert, key) == ((folder / "certificate").read_bytes(), (folder / "secret").read_bytes())


def test_files_may_be_pipes_that_can_be_read_once(folder: Path) -> None:
    """As bash makes them of `--tlskey <(vault ...)`."""
    names = ("authority", "certificate", "secret")
    processes = [subprocess.Popen(["cat", folder / name], stdout=subprocess.PIPE) for name in names]
    paths = [f"/dev/fd/{process.stdout.fileno()}" for process in processes if process.stdout]
    files = load_tls(TLSOptions(*paths))
    for process in processes:
        process.communicate()
    assert files is not None
    assert files.context().get_ca_certs()
    assert files.key == (folder / "secret").read_bytes()


def test_no_key_is_left_on_the_disk(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(empty))
    for without in (False, True):
        if without:  # as on a system that has no such files
            monkeypatch.delattr(os, "memfd_create")
        assert read_pair(str(folder / "certificate"), str(folder / "secret"))
        with pytest.raises(ConnectError):
            read_pair(str(folder / "certificate"), str(folder / "other"))
        assert not list(empty.iterdir())
