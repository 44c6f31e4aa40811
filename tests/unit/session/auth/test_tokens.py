"""Tokens from a real token server: what it is asked, and what is made of its answers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from buildctl.errors import BuildctlError
from buildctl.model.offer import RegistryTLS
from buildctl.session.auth.http import _origin, trust
from buildctl.session.auth.tokens import Token, TokenError, TokenQuestion, fetch_token
from tests.support.token_server import Asked, TokenServer, token_server

ISSUED = 1795348800
QUERY = "scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull&service=registry"
SCOPES = ("repository:a/b:pull,push", "repository:c:pull")


def fetch(url: str, username: str = "", secret: str = "", **more: Any) -> Token:
    question = TokenQuestion(
        url, more.pop("service", "registry"), more.pop("scopes", SCOPES), username, secret
    )
    return fetch_token(question, tls=more.pop("tls", None), environ=more.pop("environ", {}))


def failure(url: str, *account: str, **more: Any) -> str:
    with pytest.raises(BuildctlError) as caught:
        fetch(url, *account, **more)
    return str(caught.value)


def said(url: str, *account: str) -> str:
    with pytest.raises(TokenError) as caught:
        fetch(url, *account)
    return caught.value.said


@pytest.fixture
def server() -> Any:
    with token_server() as running:
        running.accounts["user"] = "pass word&="
        running.identity_tokens.add("identity")
        yield running


def test_nobody_in_particular(server: TokenServer) -> None:
    assert fetch(server.url) == Token(f"token for  to {' '.join(SCOPES)}", 300, ISSUED)
    assert server.asked == [Asked("GET", SCOPES, "registry", "")]
    assert "Authorization" not in server.asked[0].headers
    assert server.asked[0].headers["User-Agent"] == "buildctl"


def test_a_user(server: TokenServer) -> None:
    assert fetch(server.url, "user", "pass word&=").value == f"token for user to {' '.join(SCOPES)}"
    assert server.asked == [Asked("POST", SCOPES, "registry", "user")]
    assert server.asked[0].headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert server.asked[0].form == (
        "client_id=buildkit-client&grant_type=password&password=pass+word%26%3D&scope=repository%3Aa%2Fb%3A"
        "pull%2Cpush+repository%3Ac%3Apull&service=registry&username=user"
    )


def test_an_identity_token(server: TokenServer) -> None:
    assert fetch(server.url, "", "identity", scopes=()).value == "token for <token> to "
    assert server.asked[0].form == (
        "client_id=buildkit-client&grant_type=refresh_token&refresh_token=identity&service=registry"
    )


@pytest.mark.parametrize("status", [401, 404, 405])
def test_a_server_without_post(server: TokenServer, status: int) -> None:
    server.post_status = status
    assert fetch(server.url + "?keep=1", "user", "pass word&=").value.startswith("token for user")
    assert [asked.method for asked in server.asked] == ["POST", "GET"]


def test_a_server_without_post_and_an_identity_token(server: TokenServer) -> None:
    server.post_status = 405
    message = f"unexpected status from POST request to {server.url}: 405 Method Not Allowed"
    assert failure(server.url, "", "identity") == f"failed to fetch oauth token: {message}"
    assert said(server.url, "", "identity") == "no POST here"


def test_wrong_credentials(server: TokenServer) -> None:
    assert failure(server.url, "user", "wrong") == (
        f"failed to fetch oauth token: unexpected status from GET request to {server.url}: 401 Unauthorized"
    )
    assert said(server.url, "user", "wrong") == "unauthorized: authentication required - no such user"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, b""), ""),
        ((500, b"out of order"), "out of order"),
        ((500, b"x" * 300), "x" * 256 + "... (44 bytes truncated)"),
        ((403, b'{"details": "not you"}'), "not you"),
        ((403, b'{"errors": []}'), '{"errors": []}'),
        ((403, b'{"errors": [{"message": "' + b"x" * 9000 + b'"}]}'), ": " + "x" * 998),
    ],
)
def test_what_the_server_says_is_apart(server: TokenServer, answer: tuple[int, bytes], words: str) -> None:
    server.answer = answer
    status = {500: "500 Internal Server Error", 403: "403 Forbidden"}[answer[0]]
    message = f"unexpected status from POST request to {server.url}: {status}"
    assert failure(server.url, "user", "p") == f"failed to fetch oauth token: {message}"
    assert said(server.url, "user", "p") == words
    anonymous = failure(server.url, service="", scopes=())
    assert (
        anonymous
        == f"failed to fetch anonymous token: unexpected status from GET request to {server.url}: {status}"
    )


def test_several_errors_at_once(server: TokenServer) -> None:
    errors = [
        {"code": "DENIED", "message": "no"},
        {"code": "TOOMANY_REQUESTS", "message": "later", "detail": 1},
    ]
    server.answer = (403, json.dumps({"errors": errors}).encode())
    assert said(server.url, "u", "p") == "denied: no; toomany requests: later"


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        ({"token": "t"}, Token("t")),
        ({"token": "t", "access_token": "a"}, Token("a")),
        ({"access_token": "a", "expires_in": 0}, Token("a")),
        ({"token": "t", "expires_in": 5, "issued_at": "2026-11-22T13:00:00+01:00"}, Token("t", 5, ISSUED)),
    ],
)
def test_forms_of_an_answer(server: TokenServer, answer: dict[str, Any], token: Token) -> None:
    server.answer = (200, json.dumps(answer).encode())
    assert fetch(server.url) == token


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"[]",
        b'{"token": 1}',
        b'{"token": "t", "expires_in": "1"}',
        b'{"token": "t", "expires_in": -1}',
        b'{"token": "t", "expires_in": 1e400}',
        b'{"token": "t", "issued_at": "yesterday"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer(server: TokenServer, body: bytes) -> None:
    server.answer = (200, body)
    assert failure(server.url).startswith(
        "failed to fetch anonymous token: unable to decode token response: "
    )


def test_a_token_that_is_too_long(server: TokenServer) -> None:
    server.answer = (200, json.dumps({"token": "x" * 65_537}).encode())
    assert failure(server.url) == "failed to fetch anonymous token: the token has more than 65536 characters"
    server.answer = (200, json.dumps({"token": "x" * 65_536}).encode())
    assert len(fetch(server.url).value) == 65_536


@pytest.mark.parametrize("body", [b"{}", b'{"token": ""}', b'{"token": null}'])
def test_an_answer_without_a_token(server: TokenServer, body: bytes) -> None:
    server.answer = (200, body)
    missing = "authorization server did not include a token in the response"
    assert failure(server.url) == f"failed to fetch anonymous token: {missing}"
    server.answer = (200, b'{"token": "only for GET"}')
    assert failure(server.url, "u", "p") == f"failed to fetch oauth token: {missing}"


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("account", [("user", "pass word&="), ("", "identity")])
def test_a_redirect_elsewhere_does_not_carry_the_secret(
    server: TokenServer, status: int, account: tuple[str, str]
) -> None:
    with token_server() as elsewhere:
        server.redirect, server.redirect_status = elsewhere.url, status
        assert failure(server.url, *account) == (
            f'failed to fetch oauth token: Post "{server.url}": redirected elsewhere, '
            "where the password is not sent"
        )
        assert elsewhere.asked == []
        assert fetch(server.url).value == "token for  to "  # nobody has no secret
        assert [asked.user for asked in elsewhere.asked] == [""]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_asks_for_get_has_no_secret(server: TokenServer, status: int) -> None:
    with token_server() as elsewhere:
        server.redirect, server.redirect_status = elsewhere.url, status
        failure(server.url, "user", "pass word&=")  # it gives a GET's kind of token
        assert [(asked.method, asked.user, asked.form) for asked in elsewhere.asked] == [("GET", "", "")]
        assert "Authorization" not in elsewhere.asked[0].headers


def test_a_redirect_within_the_server_keeps_the_request(server: TokenServer) -> None:
    server.redirect, server.redirect_once = server.url.replace("/token", "/elsewhere"), True
    assert fetch(server.url, "user", "pass word&=").value.startswith("token for user")
    assert [asked.method for asked in server.asked] == ["POST", "POST"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("https://h.example/token", "http://h.example/token"),
        ("https://h.example/token", "https://h.example:444/token"),
        ("https://h.example/token", "https://i.example/token"),
        ("https://h.example/token", "https://u@h.example.evil/token"),
    ],
)
def test_whom_a_url_trusts(a: str, b: str) -> None:
    assert _origin(a) != _origin(b)
    assert _origin("https://H.example/a") == _origin("https://h.example:443/b")


@pytest.mark.parametrize("location", ["http://[", "//", "http://127.0.0.1:99999/", "file:///etc/passwd"])
def test_a_redirect_to_nowhere(server: TokenServer, location: str) -> None:
    server.redirect = location
    assert failure(server.url).startswith(f'failed to fetch anonymous token: Get "{server.url}')


def test_nothing_of_what_answers_is_told() -> None:
    """The daemon names the server, which may be any program on this network: an SSH server, say."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(b"SSH-2.0-OpenSSH_9.2p1 secret\r\n")
                client.recv(4096)

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        told = failure(url)
        thread.join()
    assert (
        told
        == f'failed to fetch anonymous token: Get "{url}?{QUERY}": what answers there does not speak HTTP'
    )


def test_a_redirect_without_end(server: TokenServer) -> None:
    server.redirect = server.url
    assert "stopped after 10 redirects" in failure(server.url)
    assert len(server.asked) == 10


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", 'unsupported protocol scheme "file"'),
        ("", 'unsupported protocol scheme ""'),
        ("http://", "no Host in request URL"),
        ("http://[", "Invalid IPv6 URL"),
        ("http://127.0.0.1:x/", "Port could not be cast"),
        ("http://127.0.0.1/\nX: y", ""),
    ],
)
def test_what_is_no_address(url: str, reason: str) -> None:
    assert reason in failure(url)
    assert failure(url, "u", "p").startswith('failed to fetch oauth token: Post "')


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/t"
        assert failure(url, "u", "p") == f'failed to fetch oauth token: Post "{url}": Connection refused'


def test_through_a_proxy() -> None:
    with token_server() as proxy:
        fetch("http://auth.example/token", environ={"http_proxy": proxy.url.removesuffix("/token")})
        assert proxy.asked[0].headers["Host"] == "auth.example"
        login = {"HTTP_PROXY": proxy.url.replace("://", "://u:p@").removesuffix("/token")}
        fetch("http://auth.example/token", environ=login)
        assert proxy.asked[1].headers["Proxy-Authorization"] == "Basic dTpw"
        assert "Bad Gateway" not in failure(
            "http://auth.invalid./", environ=login | {"NO_PROXY": "auth.invalid."}
        )


class TestTrust:
    """`--registry-auth-tlscontext`."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> trustme.CA:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        client = authority.issue_cert("client@example.com")
        client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        return authority

    @pytest.fixture
    def context(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        return context

    def test_an_authority(self, tmp_path: Path, context: ssl.SSLContext) -> None:
        with token_server(context) as server:
            assert "CERTIFICATE_VERIFY_FAILED" in failure(server.url)
            assert fetch(server.url, tls=trust(RegistryTLS((str(tmp_path / "ca.pem"),)))).value
            assert fetch(server.url, tls=trust(RegistryTLS(insecure=True))).value

    def test_a_client_certificate(self, tmp_path: Path, context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(tmp_path / "ca.pem"))
        authorities = (str(tmp_path / "ca.pem"),)
        pair = (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
        with token_server(context) as server:
            assert fetch(server.url, tls=trust(RegistryTLS(authorities, (pair,)))).value
            failure(server.url, tls=trust(RegistryTLS(authorities)))

    def test_of_several_client_certificates_the_last_is_offered(
        self, tmp_path: Path, context: ssl.SSLContext
    ) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(tmp_path / "ca.pem"))
        stranger = trustme.CA().issue_cert("client@example.com").private_key_and_cert_chain_pem
        stranger.write_to_path(str(tmp_path / "stranger.pem"))
        known = (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
        unknown = (str(tmp_path / "stranger.pem"), str(tmp_path / "stranger.pem"))
        with token_server(context) as server:
            assert fetch(server.url, tls=trust(RegistryTLS(insecure=True, key_pairs=(unknown, known)))).value
            failure(server.url, tls=trust(RegistryTLS(insecure=True, key_pairs=(known, unknown))))

    def test_bad_files(self, tmp_path: Path, authority: trustme.CA) -> None:
        (tmp_path / "empty").touch()
        for path in ("gone", "empty"):
            with pytest.raises(BuildctlError, match=f"ca cert.*: .*{tmp_path}/{path}: "):
                trust(RegistryTLS((str(tmp_path / path),)))
        with pytest.raises(
            BuildctlError, match=f"could not read certificate/key: .*: it is empty: {tmp_path}/empty"
        ):
            trust(RegistryTLS(key_pairs=((str(tmp_path / "cert.pem"), str(tmp_path / "empty")),)))
