"""Fetches a registry's bearer token from its token server: by OAuth's POST, or the older GET.

Blocking, for a worker thread. Sources: the distribution project's token and oauth specifications;
containerd's remotes/docker/auth, and util/errutil of the reference for the messages.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from buildctl.errors import BuildctlError
from buildctl.session.auth.http import Response, request

CLIENT_ID = "buildkit-client"
_DEFAULT_SECONDS = 60
_SHOWN_BYTES = 256
_ERROR_BYTES = 64_000
_ERROR_CHARACTERS = 1000
_LONGEST_TOKEN = 64 * 1024
_USER_AGENT = {"User-Agent": "buildctl"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """For what a token is wanted, and who wants it."""

    realm: str
    """The token server's URL."""
    service: str
    scopes: Sequence[str]
    username: str = ""
    """Empty where `secret` is an identity token."""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token."""

    value: str = field(repr=False)
    expires_seconds: int = _DEFAULT_SECONDS
    issued_at: int = 0
    """Seconds since the Unix epoch; 0 where the server does not say."""


class TokenError(BuildctlError):
    """There is no token. `said` is what the server says of it, which may be any program's answer to anything:
    it is for the user alone, and not for the daemon, which chose the server."""

    said = ""


class _StatusError(Exception):
    """The token server refused."""

    def __init__(self, method: str, url: str, response: Response) -> None:
        self.response = response
        status = response.status
        phrase = http.client.responses.get(status, "")
        super().__init__(f"unexpected status from {method} request to {url}: {status} {phrase}".rstrip())


def fetch_token(question: TokenQuestion, *, tls: ssl.SSLContext | None, environ: Mapping[str, str]) -> Token:
    """The token. Raises `TokenError`."""
    what = "oauth" if question.secret else "anonymous"
    try:
        if not question.secret:
            return _get(question, tls, environ)
        try:
            return _post(question, tls, environ)
        except _StatusError as error:
            # Servers that know only GET say so in one of these ways.
            status = error.response.status
            if status not in (401, 404) and not (status == 405 and question.username):
                raise
            return _get(question, tls, environ)
    except (_StatusError, BuildctlError) as error:
        failure = TokenError(f"failed to fetch {what} token: {error}")
        if isinstance(error, _StatusError):
            failure.said = _said(error.response)
        raise failure from None


def _post(question: TokenQuestion, tls: ssl.SSLContext | None, environ: Mapping[str, str]) -> Token:
    form = {"service": question.service, "client_id": CLIENT_ID}
    if question.scopes:
        form["scope"] = " ".join(question.scopes)
    if question.username:
        form |= {"grant_type": "password", "username": question.username, "password": question.secret}
    else:
        form |= {"grant_type": "refresh_token", "refresh_token": question.secret}
    body = urlencode(sorted(form.items()), errors="surrogateescape").encode()
    response = request("POST", question.realm, _USER_AGENT | _FORM, body, tls=tls, environ=environ)
    return _token("POST", question, response, ("access_token",))


def _get(question: TokenQuestion, tls: ssl.SSLContext | None, environ: Mapping[str, str]) -> Token:
    headers = dict(_USER_AGENT)
    if question.secret:
        login = f"{question.username}:{question.secret}".encode("utf-8", "surrogateescape")
        headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    response = request("GET", _with_query(question), headers, tls=tls, environ=environ)
    return _token("GET", question, response, ("access_token", "token"))


def _with_query(question: TokenQuestion) -> str:
    try:
        realm = urlsplit(question.realm)
    except ValueError as error:
        raise BuildctlError(f'Get "{question.realm}": {error}') from None
    query = parse_qsl(realm.query, keep_blank_values=True)
    if question.service:
        query.append(("service", question.service))
    query += [("scope", scope) for scope in question.scopes]
    query.sort(key=lambda pair: pair[0])
    return urlunsplit(realm._replace(query=urlencode(query, errors="surrogateescape"), fragment=""))


def _token(method: str, question: TokenQuestion, response: Response, names: Sequence[str]) -> Token:
    if not 200 <= response.status < 400:
        raise _StatusError(method, question.realm, response)
    try:
        answer = json.loads(response.body)
        value = next((found for name in names if (found := _text(answer, name))), "")
        expires = answer.get("expires_in") or _DEFAULT_SECONDS
        issued = _text(answer, "issued_at")
        issued_at = int(datetime.fromisoformat(issued).timestamp()) if issued else 0
        if type(expires) is not int or not 0 <= expires < 1 << 31:
            raise ValueError("expires_in")
    except (ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        raise BuildctlError("unable to decode token response: it is not as a token server's") from None
    if len(value) > _LONGEST_TOKEN:  # each is kept, to be hidden in logs
        raise BuildctlError(f"the token has more than {_LONGEST_TOKEN} characters")
    if not value:
        raise BuildctlError("authorization server did not include a token in the response")
    return Token(value, expires, issued_at)


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(name)
    return value


def _said(response: Response) -> str:
    """What a refusal says, in one line."""
    body = response.body[:_ERROR_BYTES]
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        errors = answer.get("errors")
        if isinstance(errors, list) and errors and all(isinstance(one, dict) for one in errors):
            return "; ".join(map(_registry_error, errors))[:_ERROR_CHARACTERS]
        if isinstance(details := answer.get("details"), str) and details:
            return details[:_ERROR_CHARACTERS]
    cut = len(body) - _SHOWN_BYTES
    shown = body[:_SHOWN_BYTES].decode("utf-8", "replace")
    return shown + (f"... ({cut} bytes truncated)" if cut > 0 else "")


def _registry_error(entry: Mapping[str, Any]) -> str:
    """One of a registry's errors: `unauthorized: authentication required - DETAIL`."""
    code = str(entry.get("code", "")).replace("_", " ").lower()
    detail = entry.get("detail")
    text = f"{code}: {entry.get('message', '')}"
    return f"{text} - {detail}" if isinstance(detail, str) and detail else text
