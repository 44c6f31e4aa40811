"""A token server: HTTP that gives bearer tokens by OAuth's POST and by GET, and keeps count.

It follows the distribution project's specifications of token and oauth authentication. Tokens for a real
registry are signed, so that it takes them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request for a token."""

    method: str
    scopes: tuple[str, ...]
    service: str
    user: str
    """Empty for an anonymous one; `<token>` where an identity token was sent."""
    headers: Mapping[str, str] = field(compare=False, default_factory=dict)
    form: str = field(compare=False, default="")


@dataclass
class TokenServer:
    """What is asked is in `asked`; the rest may be set to change how it answers."""

    url: str = ""
    accounts: dict[str, str] = field(default_factory=dict)
    identity_tokens: set[str] = field(default_factory=set)
    sign: Callable[[Asked], str] = lambda asked: f"token for {asked.user} to {' '.join(asked.scopes)}"
    post_status: int = 0
    """Answers every POST with this."""
    answer: tuple[int, bytes] | None = None
    """Answers everything with this."""
    redirect: str = ""
    """Sends everything elsewhere."""
    redirect_status: int = 307
    redirect_once: bool = False
    """Whether only the first request is sent elsewhere."""
    asked: list[Asked] = field(default_factory=list)

    def handle(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        target = urlsplit(handler.path)
        fields = parse_qs((body.decode() if body else target.query), keep_blank_values=True)
        service = fields.get("service", [""])[0]
        scopes = tuple(scope for text in fields.get("scope", []) for scope in text.split(" "))
        user, password = _basic(handler.headers.get("Authorization", ""))
        if body and fields["grant_type"] == ["password"]:
            user, password = fields["username"][0], fields["password"][0]
        is_allowed = not user or self.accounts.get(user) == password
        if body and fields["grant_type"] == ["refresh_token"]:
            user, is_allowed = "<token>", fields["refresh_token"][0] in self.identity_tokens
        asked = Asked(handler.command, scopes, service, user, dict(handler.headers.items()), body.decode())
        self.asked.append(asked)
        if self.answer:
            return self.answer
        if body and self.post_status:
            return self.post_status, b"no POST here"
        if not is_allowed:
            problem = {"code": "UNAUTHORIZED", "message": "authentication required", "detail": "no such user"}
            return 401, json.dumps({"errors": [problem]}).encode()
        name = "access_token" if body else "token"
        answer: dict[str, Any] = {name: self.sign(asked), "expires_in": 300}
        return 200, json.dumps(answer | {"issued_at": "2026-11-22T12:00:00.123456789Z"}).encode()


def _basic(header: str) -> tuple[str, str]:
    kind, _, encoded = header.partition(" ")
    if kind != "Basic":
        return "", ""
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return user or "<token>", password


@contextlib.contextmanager
def token_server(tls: ssl.SSLContext | None = None) -> Iterator[TokenServer]:
    """A server on loopback until the block ends."""
    state = TokenServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = state.handle(self, body)
            location = state.redirect
            if location:
                status, content = state.redirect_status, b""
                state.redirect = "" if state.redirect_once else location
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815  http.server's names

        def log_message(self, *_: Any) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    host = "127.0.0.1" if tls is None else "localhost"
    state.url = f"{scheme}://{host}:{server.server_address[1]}/token"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
