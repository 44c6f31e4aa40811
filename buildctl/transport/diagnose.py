"""Why a call found no daemon: the stream is opened once more by hand and looked at.

grpcio reports every failure as UNAVAILABLE with a text of its own. What a person needs is the first thing
that is wrong between here and an HTTP/2 greeting: the dial, the TLS handshake, or what the peer says.
Where grpc-go has words for that, they are used.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import re
import ssl
from collections.abc import AsyncIterator

from buildctl.errors import ConnectError
from buildctl.transport.stream import Dial, connection_error
from buildctl.transport.tls import TLSFiles

_PROBE_TIMEOUT = 2.5
_GREETING_TIMEOUT = 1.0
_ALERT_TIMEOUT = 0.3
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # and an empty SETTINGS
_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
_HANDSHAKE = "transport: authentication handshake failed: "
_BAD_PREFACE = "error reading server preface: "

# X509_V_ERR_*, which the ssl module hands on as numbers (openssl/x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _WRONG_HOST, _WRONG_IP = 9, 10, 62, 64

_EXPIRED_ALERT = "expired certificate"
# The alerts a daemon answers to a client's certificate: OpenSSL's name of the reason, and Go's words.
_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "certificate required",
    "SSLV3_ALERT_BAD_CERTIFICATE": "bad certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "handshake failure",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _EXPIRED_ALERT,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "unknown certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "unknown certificate authority",
    "TLSV1_ALERT_ACCESS_DENIED": "access denied",
}


class _Greeting(enum.Enum):
    """What a peer answers to the HTTP/2 preface."""

    HTTP2 = enum.auto()
    HTTP1 = enum.auto()
    OTHER = enum.auto()
    CLOSED = enum.auto()
    SILENT = enum.auto()


async def diagnose(
    dial: Dial, tls: TLSFiles | None, server_name: str, *, engine: str = "", http1: bool = False
) -> ConnectError | None:
    """What keeps a stream from carrying gRPC; None where nothing does (any more).

    `engine` is the address to recommend where a Docker Engine turns out to listen. With `http1` the peer
    need not speak HTTP/2 yet: TLS alone is looked at.
    """
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT):
            if tls is not None:
                return await _diagnose_tls(dial, tls, server_name, http1)
            return await _diagnose_plain(dial, engine)
    except TimeoutError:
        return _unwilling(_Greeting.SILENT)
    except ConnectError as error:
        return error


async def _diagnose_plain(dial: Dial, engine: str) -> ConnectError | None:
    greeting = await _greet(dial)
    if greeting is _Greeting.HTTP2:
        return None
    error = _unwilling(greeting)
    if greeting is _Greeting.HTTP1 and engine and await _is_engine(dial):
        error.hint = f"that is a Docker Engine: reach the BuildKit inside it at {engine}"
    elif greeting is not _Greeting.HTTP1 and await _speaks_tls(dial):
        error.hint = "the daemon wants TLS: give its authority (ca), a certificate (cert) and its key (key)"
    return error


async def _diagnose_tls(dial: Dial, tls: TLSFiles, server_name: str, http1: bool) -> ConnectError | None:
    context = tls.context()
    if not http1:
        context.set_alpn_protocols(["h2"])
    shaken = False
    try:
        async with _opened(dial, context, server_name) as (reader, writer, _):
            shaken = True
            if http1:
                return None
            if writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
                return connection_error(
                    f"{_HANDSHAKE}credentials: cannot check peer: missing selected ALPN property",
                    "what listens there does not offer HTTP/2, so it is no BuildKit",
                    lasting=True,
                )
            # An alert about this side's certificate comes after the handshake (TLS 1.3). Writing to a peer
            # that has closed already would have the alert dropped with the connection; so listen first.
            answer = b""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ALERT_TIMEOUT):
                    answer = await reader.read(512)
            greeting = await _read_greeting(reader, writer, answer)
            return None if greeting is _Greeting.HTTP2 else _unwilling(greeting)
    except ssl.SSLCertVerificationError as error:
        return await _distrust(dial, tls, server_name, error.verify_code)
    except ssl.SSLError as error:
        if alert := _ALERTS.get(error.reason or ""):
            place = _BAD_PREFACE if shaken else _HANDSHAKE
            return connection_error(
                f"{place}remote error: tls: {alert}", _certificate_hint(tls, alert), lasting=True
            )
        problem = "tls: first record does not look like a TLS handshake"
    except OSError:
        problem = "EOF"
    if await _greet(dial) is _Greeting.HTTP2:
        return connection_error(
            f"{_HANDSHAKE}tls: first record does not look like a TLS handshake",
            "the daemon speaks plain text: leave the --tls flags out",
            lasting=True,
        )
    return connection_error(
        f"{_HANDSHAKE}{problem}", "what listens there does not speak TLS as a BuildKit does"
    )


def _certificate_hint(tls: TLSFiles, alert: str) -> str:
    if tls.cert and alert == _EXPIRED_ALERT:
        return "the client certificate has expired: have a new one signed for --tlscert; or is a clock wrong?"
    if tls.cert:
        return "the daemon does not take this client certificate: check which it is, and who signed it"
    return "the daemon wants a client certificate (cert) with its key (key)"


async def _distrust(dial: Dial, tls: TLSFiles, server_name: str, verify_code: int) -> ConnectError:
    """Why the daemon's certificate was refused."""
    if verify_code in (_EXPIRED, _NOT_YET_VALID):
        reason = "certificate has expired or is not yet valid"
        hint = "renew the daemon's certificate; or is a clock wrong?"
    elif verify_code in (_WRONG_HOST, _WRONG_IP):
        names, common_name = await _certificate_names(dial, tls)
        if names:
            valid = f"is valid for {', '.join(names)}, not {server_name}"
        elif common_name.lower() == server_name.lower():
            valid = "relies on legacy Common Name field, use SANs instead"
        else:
            valid = f"is not valid for any names, but wanted to match {server_name}"
        reason = f"certificate {valid}"
        hint = "name the daemon as its certificate does, in the address or as TLS has it (server_name)"
    else:
        reason = "certificate signed by unknown authority"
        hint = "give the certificate (ca) of the authority that signed the daemon's certificate"
    return connection_error(
        f"{_HANDSHAKE}tls: failed to verify certificate: x509: {reason}", hint, lasting=True
    )


async def has_no_alternative_names(dial: Dial, tls: TLSFiles) -> bool | None:
    """Whether the peer has a certificate that only its common name says the owner of; None where nobody
    answers. It is asked on a connection of its own: gRPC takes such a certificate and has no switch for that.
    """
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT):
            names, common_name = await _certificate_names(dial, tls)
            return bool(common_name) and not names
    except (TimeoutError, ConnectError):
        return None


async def _certificate_names(dial: Dial, tls: TLSFiles) -> tuple[list[str], str]:
    """The alternative names and the common name of a certificate that the authority has signed."""
    context = tls.context()
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])  # or the daemon's log would tell of a handshake without it
    with contextlib.suppress(OSError):
        async with _opened(dial, context, "") as (_, writer, _):
            certificate = writer.get_extra_info("peercert") or {}
            names = [str(name) for _, name in certificate.get("subjectAltName", ())]
            subject = [pair for part in certificate.get("subject", ()) for pair in part]
            return names, next((str(name) for kind, name in subject if kind == "commonName"), "")
    return [], ""


async def _speaks_tls(dial: Dial) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only asked whether it is TLS; nothing is sent
    try:
        async with _opened(dial, context, ""):
            return True
    except ssl.SSLError as error:
        return (error.reason or "") in _ALERTS
    except (OSError, ConnectError):
        return False


async def _is_engine(dial: Dial) -> bool:
    """Whether the Engine's ping is answered the Engine's way (Docker API, `Api-Version`)."""
    with contextlib.suppress(OSError, ConnectError, TimeoutError):
        async with _opened(dial) as (reader, writer, _):
            writer.write(_PING)
            async with asyncio.timeout(_GREETING_TIMEOUT):
                return re.search(rb"(?i)\r\napi-version:", await reader.read(4096)) is not None
    return False


async def _greet(dial: Dial) -> _Greeting:
    async with _opened(dial) as (reader, writer, early):
        return await _read_greeting(reader, writer, early)


async def _read_greeting(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes
) -> _Greeting:
    writer.write(_PREFACE)
    try:
        async with asyncio.timeout(_GREETING_TIMEOUT):
            while len(answer) < 9:
                chunk = await reader.read(512)
                if not chunk:
                    return _Greeting.CLOSED
                answer += chunk
    except TimeoutError:
        return _Greeting.SILENT
    except ssl.SSLError:
        raise
    except OSError:
        return _Greeting.CLOSED
    if answer.startswith(b"HTTP/1."):
        return _Greeting.HTTP1
    is_settings = answer[3] == 4 and answer[5:9] == bytes(4)
    return _Greeting.HTTP2 if is_settings else _Greeting.OTHER


def _unwilling(greeting: _Greeting) -> ConnectError:
    """The peer took the connection and does not speak HTTP/2."""
    match greeting:
        case _Greeting.HTTP1:
            description = (
                f"{_BAD_PREFACE}http2: failed reading the frame payload: http2: frame too large, "
                "note that the frame header looked like an HTTP/1.1 header"
            )
            hint = "a web server listens there, not a BuildKit"
        case _Greeting.SILENT:
            description = "failed to receive server preface within timeout"
            hint = "something listens there but does not answer as a BuildKit does"
        case _Greeting.CLOSED:
            description = f"{_BAD_PREFACE}EOF"
            hint = (
                "something listens there but closes the connection: it is no BuildKit, or one that is ending"
            )
        case _:
            description = f"{_BAD_PREFACE}http2: frame too large"
            hint = "what listens there does not speak HTTP/2, so it is no BuildKit"
    return connection_error(description, hint, lasting=greeting in (_Greeting.HTTP1, _Greeting.OTHER))


@contextlib.asynccontextmanager
async def _opened(
    dial: Dial, context: ssl.SSLContext | None = None, server_name: str = ""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]]:
    stream = await dial()
    try:
        reader, writer = await asyncio.open_connection(
            sock=stream.sock, ssl=context, server_hostname=server_name if context else None
        )
        try:
            yield reader, writer, stream.early
        finally:
            writer.transport.abort()
    finally:
        await stream.aclose()
