"""The methods of the Auth service, `moby.filesync.v1.Auth`, by their paths."""

from __future__ import annotations

_SERVICE = "/moby.filesync.v1.Auth/"

CREDENTIALS = _SERVICE + "Credentials"
FETCH_TOKEN = _SERVICE + "FetchToken"
GET_TOKEN_AUTHORITY = _SERVICE + "GetTokenAuthority"
VERIFY_TOKEN_AUTHORITY = _SERVICE + "VerifyTokenAuthority"

ALL = (CREDENTIALS, FETCH_TOKEN, GET_TOKEN_AUTHORITY, VERIFY_TOKEN_AUTHORITY)
