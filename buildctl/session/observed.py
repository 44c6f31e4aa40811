"""Tells of each call of a session what the daemon asked for and how that ended, without any content."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError

from buildctl.errors import Code, ServiceError
from buildctl.model.repair import parse_message
from buildctl.model.sessionrequest import SessionRequest
from buildctl.session.metadata import value, values
from buildctl.session.stream import Attachable, Handler, ServerStream

RequestSink: TypeAlias = Callable[[SessionRequest], None]

_LONG = 1 << 16
"""Bytes of a first message that is content rather than a request, and not to be kept."""
_TEXT = 256
_ITEMS = 16
_CONFIDENTIAL = ("moby.buildkit.secrets.", "moby.filesync.v1.Auth")
"""Services whose answers are short secrets: how long one is says something of it."""

_Asked: TypeAlias = dict[str, "str | int | list[str]"]


@dataclass(frozen=True, slots=True)
class Observed:
    """Attachable: another one, of whose calls `on_request` is told when they have ended."""

    service: Attachable
    on_request: RequestSink

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {path: self._observing(path, handler) for path, handler in self.service.methods.items()}

    def _observing(self, path: str, handler: Handler) -> Handler:
        async def handle(stream: ServerStream) -> None:
            observed = _Stream(stream)
            outcome = Code.UNKNOWN
            try:
                await handler(observed)
                outcome = Code.OK
            except ServiceError as error:
                outcome = error.code
                raise
            except asyncio.CancelledError:
                outcome = Code.CANCELED
                raise
            finally:
                self.on_request(_request(path, observed, outcome))

        return handle


def refused(path: str) -> SessionRequest:
    """What is told of a call that nothing was offered for."""
    service, method = _names(path)
    return SessionRequest(service, method, {}, Code.UNIMPLEMENTED.name)


class _Stream:
    """A `ServerStream`: another one, with what passed it counted."""

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream
        self.first = b""
        self.received = 0
        self.sent = 0

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:
        return self._stream.metadata

    def narrow(self) -> None:
        self._stream.narrow()

    async def receive_messages(self) -> list[bytes]:
        messages = await self._stream.receive_messages()
        if messages and not self.received and len(messages[0]) <= _LONG:
            self.first = messages[0]
        self.received += sum(map(len, messages))
        return messages

    async def send_messages(self, messages: Iterable[bytes]) -> None:
        messages = list(messages)
        self.sent += sum(map(len, messages))
        await self._stream.send_messages(messages)


def _request(path: str, stream: _Stream, outcome: Code) -> SessionRequest:
    service, method = _names(path)
    asked = {key: _cut(found) for key, found in _asked(path, stream).items()}
    if service.startswith(_CONFIDENTIAL):
        return SessionRequest(service, method, asked, outcome.name, given=stream.sent > 0)
    return SessionRequest(
        service, method, asked, outcome.name, sent_bytes=stream.sent, received_bytes=stream.received
    )


def _names(path: str) -> tuple[str, str]:
    service, _, method = path.removeprefix("/").rpartition("/")
    return service[:_TEXT], method[:_TEXT]


def _asked(path: str, stream: _Stream) -> _Asked:
    package, _, method = path.removeprefix("/").partition("/")
    match package:
        case "moby.filesync.v1.FileSync":
            return {
                "local": value(stream.metadata, "dir-name"),
                "include_patterns": len(values(stream.metadata, "include-patterns")),
                "exclude_patterns": len(values(stream.metadata, "exclude-patterns")),
                "follow_paths": len(values(stream.metadata, "followpaths")),
            }
        case "moby.filesync.v1.FileSend":
            return {"exporter": value(stream.metadata, "buildkit-attachable-exporter-id", "0")}
        case "moby.sshforward.v1.SSH" if method == "ForwardAgent":
            return {"id": value(stream.metadata, "buildkit.ssh.id", "default")}
        case "moby.upload.v1.Upload":
            return {"url_path": value(stream.metadata, "urlpath")}
        case "containerd.services.content.v1.Content":
            store: _Asked = {"store": value(stream.metadata, "buildkit-attachable-store-id")}
            return store | _fields(path, stream.first)
    return _fields(path, stream.first)


def _fields(path: str, message: bytes) -> _Asked:
    """What the request's message says; nothing of one that cannot be read."""
    found = _message_type(path)
    if found is None:
        return {}
    kind, names = found
    try:
        request = parse_message(kind, message)
    except DecodeError:
        return {}
    asked: _Asked = {}
    for name in names:
        given = getattr(request, name)
        text = [str(one) for one in given] if name == "Scopes" else str(given)
        if name == "Realm":  # a URL, whose host is what matters; the rest might be anything
            text = _host(str(given))
        if text:
            asked[name.lower()] = text
    return asked


def _message_type(path: str) -> tuple[Any, tuple[str, ...]] | None:
    """The type of a method's request, and the fields that say what it is about."""
    from buildctl._pb import auth_pb2, content_pb2, secrets_pb2, sshforward_pb2

    auth, content = "/moby.filesync.v1.Auth/", "/containerd.services.content.v1.Content/"
    types: dict[str, tuple[Any, tuple[str, ...]]] = {
        "/moby.buildkit.secrets.v1.Secrets/GetSecret": (secrets_pb2.GetSecretRequest, ("ID",)),
        "/moby.sshforward.v1.SSH/CheckAgent": (sshforward_pb2.CheckAgentRequest, ("ID",)),
        auth + "Credentials": (auth_pb2.CredentialsRequest, ("Host",)),
        auth + "FetchToken": (auth_pb2.FetchTokenRequest, ("Host", "Realm", "Service", "Scopes")),
        auth + "GetTokenAuthority": (auth_pb2.GetTokenAuthorityRequest, ("Host",)),
        auth + "VerifyTokenAuthority": (auth_pb2.VerifyTokenAuthorityRequest, ("Host",)),
        content + "Abort": (content_pb2.AbortRequest, ("ref",)),
        content + "Delete": (content_pb2.DeleteContentRequest, ("digest",)),
        content + "Info": (content_pb2.InfoRequest, ("digest",)),
        content + "Read": (content_pb2.ReadContentRequest, ("digest",)),
        content + "Status": (content_pb2.StatusRequest, ("ref",)),
        content + "Write": (content_pb2.WriteContentRequest, ("ref", "expected")),
    }
    return types.get(path)


def _host(url: str) -> str:
    from urllib.parse import urlsplit  # which few builds need

    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _cut(found: str | int | list[str]) -> str | int | list[str]:
    if isinstance(found, str):
        return found[:_TEXT]
    if isinstance(found, list):
        return [one[:_TEXT] for one in found[:_ITEMS]]
    return found
