"""TLS files are found, read and checked, in the reference's words."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from buildctl.errors import BuildctlError, ConnectError, UsageError
from buildctl.model.address import TLSOptions
from buildctl.transport.tls import load_tls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an authority and a pair, under names that no rule looks for."""
    authority = trustme.CA()
    certificate = authority.issue_cert("client")
    authority.cert_pem.write_to_path(tmp_path / "authority")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate")
    certificate.private_key_pem.write_to_path(tmp_path / "secret")
    trustme.CA().issue_cert("other").private_key_pem.write_to_path(tmp_path / "other")
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
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
        (TLSOptions(ca="junk"), ConnectError, "failed to append ca certs"),
        (TLSOptions(ca="binary"), ConnectError, "failed to append ca certs"),
        (
            TLSOptions(ca="authority", cert="certificate"),
            ConnectError,
            "could not read certificate/key: open : no such file or directory",
        ),
        (
            TLSOptions(ca="authority", cert="certificate", key="other"),
            ConnectError,
            "could not read certificate/key: tls: private key does not match public key",
        ),
        (
            TLSOptions(ca="authority", cert="junk", key="secret"),
            ConnectError,
            "could not read certificate/key: tls: failed to find PEM data in certificate or key",
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
