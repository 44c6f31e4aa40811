"""TLS for a connection: which files, what they hold, and what is wrong with them before anybody is called."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

from buildctl.errors import ConnectError, UsageError
from buildctl.model.address import TLSOptions

# The first name that exists is taken (cmd/buildctl/common): Docker's names, then Kubernetes'.
_CA_NAMES = ("ca.pem", "ca.crt")
_CERT_NAMES = ("cert.pem", "tls.crt")
_KEY_NAMES = ("key.pem", "tls.key")


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """What the files of one connection hold, checked; `cert` and `key` are empty or belong together."""

    ca: bytes
    cert: bytes = b""
    key: bytes = b""
    cert_path: str = ""
    key_path: str = ""

    def context(self, *, verify: bool = True) -> ssl.SSLContext:
        """A client context that trusts the given authority alone; without one nobody, as the reference."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca:
            context.load_verify_locations(cadata=self.ca.decode("ascii", "ignore"))
        if self.cert:
            context.load_cert_chain(self.cert_path, self.key_path, password="")
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def load_tls(options: TLSOptions) -> TLSFiles | None:
    """Read the files that `options` name; None where none are. Raises in the reference's words."""
    if not options.wanted:
        return None
    ca, cert, key = options.ca, options.cert, options.key
    if options.directory:
        if ca or cert or key:
            raise UsageError("cannot specify tlsdir and tlscacert/tlscert/tlskey at the same time")
        ca, cert, key = (_one_of(options.directory, names) for names in (_CA_NAMES, _CERT_NAMES, _KEY_NAMES))
    files = TLSFiles(
        ca=_read("could not read ca certificate", ca) if ca else b"",
        cert=_read("could not read certificate/key", cert) if cert or key else b"",
        key=_read("could not read certificate/key", key) if cert or key else b"",
        cert_path=cert,
        key_path=key,
    )
    _check(files)
    return files


def _one_of(directory: str, names: tuple[str, str]) -> str:
    for name in names:
        path = os.path.join(directory, name)
        try:
            os.stat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConnectError(f"stat {path}: {_reason(error)}") from None
        return path
    raise ConnectError(
        f"directory did not contain one of the needed files: {names[0]} or {names[1]}",
        hint=f"an authority, a certificate and its key are needed below {directory}",
    )


def _read(what: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        verb = "read" if isinstance(error, IsADirectoryError) else "open"  # Go opens folders
        raise ConnectError(f"{what}: {verb} {path}: {_reason(error)}") from None


def _check(files: TLSFiles) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if files.ca:
            context.load_verify_locations(cadata=files.ca.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise ConnectError(
            "failed to append ca certs", hint="the authority's file holds no PEM certificate"
        ) from None
    if files.cert:
        try:
            context.load_cert_chain(files.cert_path, files.key_path, password="")
        except (ssl.SSLError, ValueError) as error:
            raise ConnectError(
                f"could not read certificate/key: tls: {_pair_problem(error)}",
                hint=f"{files.cert_path} and {files.key_path} must be PEM, without a password, and a pair",
            ) from None


def _pair_problem(error: Exception) -> str:
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return "private key does not match public key"
    return "failed to find PEM data in certificate or key"


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()
