"""TLS for a connection: which files, what they hold, and what is wrong with them before anybody is called."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from buildctl.errors import ConnectError, UsageError
from buildctl.model.address import TLSOptions
from buildctl.model.pem import Block, blocks, has_bom
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_named

# The first name that exists is taken (cmd/buildctl/common): Docker's names, then Kubernetes'.
_CA_NAMES = ("ca.pem", "ca.crt")
_CERT_NAMES = ("cert.pem", "tls.crt")
_KEY_NAMES = ("key.pem", "tls.key")
_CERTIFICATE, _PRIVATE_KEY = "CERTIFICATE", "PRIVATE KEY"
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """What the files of one connection hold, as PEM; `cert` and `key` are empty or belong together."""

    ca: bytes
    cert: bytes = b""
    key: bytes = b""
    cert_path: str = ""
    key_path: str = ""

    def context(self, *, verify: bool = True) -> ssl.SSLContext:
        """A client context that trusts the given authority alone; without one nobody, as the reference."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        refuse_common_names(context)
        if self.ca:
            context.load_verify_locations(cadata=self.ca.decode("ascii"))
        if self.cert:
            load_pair(context, self.cert, self.key)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def refuse_common_names(context: ssl.SSLContext) -> None:
    """Let only a certificate's alternative names say whose it is, as Go does since 1.15 (RFC 6125, 6.4.4)."""
    if ssl.HAS_NEVER_CHECK_COMMON_NAME:
        context.hostname_checks_common_name = False


def load_pair(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    """Give a context a certificate and its key. Raises `ssl.SSLError` where these are not a pair."""
    with _as_file(cert + key) as path:
        context.load_cert_chain(path, password="")


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """Where the ssl module, which takes a key from a path alone, finds bytes that are in memory."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor, path = os.memfd_create("pem"), ""
    else:
        descriptor, path = tempfile.mkstemp(prefix="buildctl-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            yield path or f"/proc/self/fd/{descriptor}"
    finally:
        if path:
            os.unlink(path)


def load_tls(options: TLSOptions) -> TLSFiles | None:
    """Read the files that `options` name; None where none are. Raises in the reference's words."""
    if not options.wanted:
        return None
    ca, cert, key = options.ca, options.cert, options.key
    if options.directory:
        if ca or cert or key:
            raise UsageError("cannot specify tlsdir and tlscacert/tlscert/tlskey at the same time")
        ca, cert, key = (_one_of(options.directory, names) for names in (_CA_NAMES, _CERT_NAMES, _KEY_NAMES))
    authority = read_authorities(ca) if ca else b""
    if not (cert or key):
        return TLSFiles(authority)
    chain, secret = read_pair(cert, key)
    return TLSFiles(authority, chain, secret, cert, key)


def read_authorities(path: str) -> bytes:
    """The certificates of a file, as PEM that every TLS library takes. Raises `ConnectError` naming it."""
    data = _read("could not read ca certificate", path)
    if not has_bom(data):
        found = [block.armoured() for block in blocks(data) if block.kind == _CERTIFICATE]
        if good := b"".join(pem for pem in found if _is_certificate(pem)):
            return good
    raise ConnectError(
        f"failed to append ca certs: {path}: {_no_pem(data) or 'it holds no PEM certificate'}",
        hint="a file is needed that has the authority's certificate: -----BEGIN CERTIFICATE-----",
    )


def _is_certificate(pem: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        return False
    return True


def read_pair(cert: str, key: str) -> tuple[bytes, bytes]:
    """The chain and the key of two files, as PEM. Raises `ConnectError` in the words of Go's crypto/tls."""
    what = "could not read certificate/key"
    chain, secret = _read(what, cert), _read(what, key)
    chain_blocks, key_blocks = list(blocks(chain)), list(blocks(secret))
    certificates = [block for block in chain_blocks if block.kind == _CERTIFICATE]
    keys = [block for block in key_blocks if block.kind.endswith(_PRIVATE_KEY)]
    where = f"{cert}, {key}"
    if has_bom(chain) or not certificates:
        problem, where = _no_certificate(chain, chain_blocks), cert
    elif has_bom(secret) or not keys:
        problem, where = _no_key(secret, key_blocks), key
    elif keys[0].encrypted or keys[0].kind.startswith("ENCRYPTED"):
        problem, where = "tls: failed to parse private key: it has a passphrase", key
    else:
        pems = b"".join(block.armoured() for block in certificates), keys[0].armoured()
        try:
            load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), *pems)
            return pems
        except (ssl.SSLError, ValueError) as error:
            problem = _pair_problem(error)
    raise ConnectError(
        f"{what}: {problem}: {where}",
        hint=f"{cert} and {key} must be PEM, without a passphrase, and a pair",
    )


def _no_certificate(data: bytes, found: Sequence[Block]) -> str:
    kinds = [block.kind for block in found]
    if has_bom(data) or not kinds:
        return f"tls: failed to find any PEM data in certificate input{_because(data)}"
    if len(kinds) == 1 and kinds[0].endswith(_PRIVATE_KEY):
        return (
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; "
            "PEM inputs may have been switched"
        )
    return (
        'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the '
        f"following types: [{' '.join(kinds)}]"
    )


def _no_key(data: bytes, found: Sequence[Block]) -> str:
    kinds = [block.kind for block in found]
    if has_bom(data) or not kinds:
        return f"tls: failed to find any PEM data in key input{_because(data)}"
    if kinds == [_CERTIFICATE]:
        return "tls: found a certificate rather than a key in the PEM for the private key"
    return (
        'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM '
        f"blocks of the following types: [{' '.join(kinds)}]"
    )


def _because(data: bytes) -> str:
    reason = _no_pem(data)
    return f": {reason}" if reason else ""


def _no_pem(data: bytes) -> str:
    """Why a file has no PEM in it, where that can be seen."""
    if not data:
        return "it is empty"
    if has_bom(data):
        return "it begins with a byte order mark; save it without"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "it is UTF-16; save it as ASCII or UTF-8"
    if data.startswith(b"\x30") and b"-----BEGIN" not in data:
        return "it is DER or PKCS#12; convert it to PEM with openssl"
    return ""


def _pair_problem(error: Exception) -> str:
    match getattr(error, "reason", None):
        case "KEY_VALUES_MISMATCH":
            return "tls: private key does not match public key"
        case "KEY_TYPE_MISMATCH" | "NO_CERTIFICATE_ASSIGNED":  # which it is depends on the OpenSSL
            return "tls: private key type does not match public key type"
        case _:
            return "tls: failed to parse certificate or private key"


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
        return read_named(path, limit=_MOST_BYTES)
    except OSError as error:
        verb = "read" if error.errno in (errno.EISDIR, errno.EFBIG) else "open"  # Go opens folders
        reason = errno_text(error)
        raise ConnectError(f"{what}: {verb} {path}: {reason}") from None


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()
