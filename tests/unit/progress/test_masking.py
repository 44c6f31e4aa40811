"""Secrets in what a build says: hidden in every form, wherever a log is cut, and nothing else changes."""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from buildctl.errors import SolveError, SourceExcerpt
from buildctl.model.status import (
    ProgressGroup,
    SolveStatus,
    SourceInfo,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from buildctl.progress.masking import Masker, StatusMasker, mask_error
from buildctl.progress.visiblebytes import VisibleBytes
from tests.support.statuses import log, merged, vertex

SECRET = b"p\xc3\xa4ss>?/word"


def masker(*secrets: bytes) -> Masker:
    known = Masker()
    for secret in secrets:
        known.learn(secret)
    return known


def shown(status: SolveStatus) -> bytes:
    return b"".join(one.data for one in status.logs)


# One text


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        b64encode(SECRET),
        b64encode(SECRET).rstrip(b"="),
        urlsafe_b64encode(SECRET),
        b64encode(SECRET + b"\n")[:-4],
        SECRET.hex().encode(),
        SECRET.hex().upper().encode(),
        quote(SECRET).encode(),
        quote(SECRET, safe="").encode(),
        quote(SECRET, safe="").lower().encode(),
        quote_plus(SECRET).encode(),
    ],
)
def test_a_form(form: bytes) -> None:
    assert masker(SECRET).mask(b"<%s>" % form) == b"<***>"


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"user:"])
@pytest.mark.parametrize("after", [b"", b"\n", b"c", b"cd", b"cde"])
def test_base64_of_a_longer_text(encode: type[str], before: bytes, after: bytes) -> None:
    encoded = b64encode(before + SECRET + after)
    masked = masker(SECRET).mask(encoded)
    assert b"***" in masked
    # At each end a character may have a few bits of the secret besides its neighbour's.
    alone = len(b64encode(before)) + len(b64encode(after))
    assert len(masked.replace(b"***", b"")) <= alone + 2


@pytest.mark.parametrize("width", [64, 76])
def test_base64_in_lines(width: int) -> None:
    secret = bytes(range(33, 127)) * 4
    encoded = b64encode(secret)
    lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]
    masked = masker(secret + b"\n").mask(b"\n".join(lines))
    assert masked.count(b"***") == len(lines)
    assert len(masked.replace(b"***", b"").strip()) < 8


def test_hexadecimal_in_lines_and_in_a_longer_text() -> None:
    secret = bytes(range(33, 127))
    digits = secret.hex()
    lines = [digits[start : start + 60] for start in range(0, len(digits), 60)]
    masked = masker(secret + b"\n").mask("\n".join([*lines[:-1], lines[-1] + "0a"]).encode())
    assert masked == b"\n".join([b"***"] * len(lines))
    assert masker(SECRET).mask((b"user:%s\n" % SECRET).hex().encode()) == b"%s***0a" % b"user:".hex().encode()


def test_quoted_as_in_an_error() -> None:
    secret = b'a"quoted\\value'
    error = 'process "/bin/sh -c echo a\\"quoted\\\\value" did not complete'
    assert masker(secret).mask_text(error) == 'process "/bin/sh -c echo ***" did not complete'


def test_lines_of_a_key_are_hidden_each() -> None:
    key = b"-----BEGIN KEY-----\r\nMIIabc\r\nxyz\r\nQQ==\r\n-----END KEY-----\r\n"
    known = masker(key)
    assert known.mask(b"a MIIabc b QQ== c") == b"a *** b *** c"
    assert known.mask(b"xyz stays: it is too short") == b"xyz stays: it is too short"
    assert known.mask(b64encode(key)) == b"***"


@pytest.mark.parametrize("secret", [b"", b"\n", b"abc", b"\nabc\r\n"])
def test_short_secrets_are_not_hidden(secret: bytes) -> None:
    known = masker(secret)
    assert not known
    assert known.mask(b"abc def") == b"abc def"


def test_secrets_that_overlap_leave_nothing() -> None:
    known = masker(b"abcdef", b"defghi", b"abcd")
    assert known.mask(b"abcdefghi abcd abcdef") == b"*** *** ***"


def test_a_piece_of_a_long_secret() -> None:
    secret = b"".join(b"%05d" % number for number in range(2000))
    known = masker(secret)
    assert set(known.mask(secret)) == set(b"*")
    assert len(known.mask(secret[:5000]).replace(b"***", b"")) < 1024


def test_text_with_bytes_that_are_no_utf8() -> None:
    known = masker(b"\xff\xfe\xfd\xfc")
    assert known.mask_text("a\udcff\udcfe\udcfd\udcfcb") == "a***b"
    assert known.mask_text("\ud800") == "\ud800"
    assert masker(b"secret").mask_text("\ud800secret") == "?***"


def test_many_values_are_known_quickly() -> None:
    values = [f"value number {number}" for number in range(2500)]
    began = time.process_time()
    known = masker(json.dumps(values, indent=1).encode())
    assert known.mask(b"<value number 1234>") == b"<***>"
    assert time.process_time() - began < 5


def test_many_lines_are_known_quickly() -> None:
    lines = [b"line number %d" % number for number in range(20_000)]
    known = masker(b"\n".join(lines))
    assert known.mask(b"<line number 12345>") == b"<***>"


@pytest.mark.parametrize("secret", [b"s3cr3t-value-77", b"a+b/c==longer", "p\u00e4ss-w\u00f6rd".encode()])
@pytest.mark.parametrize(
    "between",
    [
        b"\x1b[m\x1b[K",  # grep --color
        b"\x1b[0K",
        b"\x1b[1C",
        b"\x1b]8;;http://x\x1b\\",
        b"\x1b]0;title\x07",
        b"\x1bPq#0\x1b\\",
        b"\x1b(B",
        b"\0",
        b"\0\0\0",
        b"\r",
        b"\x07",
        b"\xc2\x9b31m",
        "\u200b".encode(),
        "\u202e\u202c".encode(),
        "\ufeff".encode(),
        "\u00ad".encode(),
        "\ufe0f".encode(),
        "\u2060".encode(),
        "\U000e0041".encode(),
        b"x\b",
        "\u00e4\b".encode(),
    ],
)
def test_what_a_reader_does_not_see_divides_no_secret(secret: bytes, between: bytes) -> None:
    text = secret.decode()
    known = masker(secret)
    for middle in (text[:5], ""):
        parts = [character.encode() + between for character in text[len(middle) :]]
        divided = middle.encode() + b"".join(parts)
        masked = known.mask(b"<" + divided + b">")
        assert b"***" in masked
        assert VisibleBytes(masked).text in (b"<***>", b"<x***>", b"<\xc3\xa4***>")


@pytest.mark.parametrize(
    ("secret", "encoding"),
    [
        *(("s3cr3t-value-77", f"utf-{kind}") for kind in ("16-le", "16-be", "16", "32-le", "32-be")),
        *(("\u79d8\u5bc6\u306e\u30d1\u30b9", f"utf-{kind}") for kind in ("16-le", "16-be", "16")),
    ],
)
def test_wide_characters(encoding: str, secret: str) -> None:
    masked = masker(secret.encode()).mask(f"<{secret}>\n".encode(encoding))
    assert masked.count(b"***") == 1
    assert len(masked) < 40


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\x1b[K\n", b" \r\n".replace(b" ", b"")])
def test_a_long_value_that_is_wrapped(newline: bytes) -> None:
    token = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
    known = masker(token)
    text = b"token: " + newline.join([token[:13], token[13:43], token[43:]]) + newline + b"next\n"
    masked = known.mask(text)
    assert masked.replace(b"\r", b"").replace(b"\x1b[K", b"") == b"token: ***\n***\n***\nnext\n"
    stream = StatusMasker(known)
    pieces = [shown(stream.mask(log("a", line))) for line in text.splitlines(keepends=True)]
    assert b"".join(pieces) + shown(stream.finish()) == masked


@pytest.mark.parametrize(
    "moved", [b"secXXX\x1b[3Dret", b"XXXXXX\x1b[1Gsecret", b"secXX\b\bret", b"XXXret\x1b[Gsec"]
)
def test_a_line_that_is_put_together_by_moving_back(moved: bytes) -> None:
    assert masker(b"secret").mask(b"one\n" + moved + b"\ntwo\x1b[D\n") in (
        b"one\n***\ntwo\x1b[D\n",
        b"one\nXXXXXX\x1b[1G***\ntwo\x1b[D\n",
    )


def test_colours_around_a_mask_stay() -> None:
    text = b"\x1b[01;31m\x1b[Ksec\x1b[m\x1b[Kret\n"
    assert masker(b"secret").mask(text) == b"\x1b[01;31m\x1b[K***\x1b[m\n"


@pytest.mark.parametrize(
    "line", [b"        ", b"    ],", b"--------", b"{", b"----------------------------------", b"*** !!! ***"]
)
def test_lines_that_say_nothing_are_no_secrets(line: bytes) -> None:
    known = masker(b"first line\n" + line + b"\nlast line\n")
    assert known.mask(b"<" + line + b">") == b"<" + line + b">"
    assert known.mask(b"last line") == b"***"


@pytest.mark.parametrize(
    "secret",
    [
        b'{"a": {"b": ["s3cr3t-value-77"]}, "n": null, "t": true}',
        b'\xef\xbb\xbf[{"key": "s3cr3t-value-77"}]',
        b'{"pem": "-----BEGIN\\ns3cr3t-value-77\\n-----END"}',
        b"export TOKEN='s3cr3t-value-77'\n",
        b'TOKEN="s3cr3t-value-77"\r\nOTHER=1\r\n',
        b"TOKEN = s3cr3t-value-77",
        b"password: s3cr3t-value-77\n",
        b"- name: x\n  token: 's3cr3t-value-77'\n",
        b"//registry.example/:_authToken=s3cr3t-value-77\n",
        b"machine example.com login me password s3cr3t-value-77\n",
        b"user:s3cr3t-value-77\n",
        b"Authorization: s3cr3t-value-77",
    ],
)
def test_the_values_of_a_secret_with_keys(secret: bytes) -> None:
    known = masker(secret)
    assert known.mask(b"got s3cr3t-value-77, true, null") == b"got ***, true, null"
    assert known.mask(b64encode(b"s3cr3t-value-77")) == b"***"


def test_ten_megabytes_that_nobody_sees_are_not_kept() -> None:
    stream = StatusMasker(masker(b"secret"))
    began = time.process_time()
    assert shown(stream.mask(log("a", b"12 sec"))) == b"12 "
    for _ in range(100):
        assert shown(stream.mask(log("a", b"\0" * 100_000))) == b""
    assert sum(len(kept.kept) for some in stream._streams.values() for kept in some.values()) < 1000
    assert shown(stream.mask(log("a", b"ret\n"))) == b"***\n"
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "unit",
    [
        b"\x1b",
        b"\x1b[",
        b"\x1b[0;",
        b"\x1b]x",
        b"\xc2",
        b"\xe2\x80",
        b"a\b",
        b"secr\n",
        b"secret-v\n",
        b"\0s",
    ],
)
def test_time_grows_with_the_length(unit: bytes) -> None:
    def seconds(size: int) -> float:
        known = masker(b"secret-value")
        data = unit * (size // len(unit))
        began = time.process_time()
        known.scan(data)
        return time.process_time() - began

    small = min(seconds(50_000) for _ in range(3))
    assert min(seconds(400_000) for _ in range(2)) < 8 * 4 * small + 0.05


# Streams

_secrets = st.lists(st.text("ab", min_size=4, max_size=9).map(str.encode), min_size=1, max_size=3)
_texts = st.lists(st.text("abYWJh=%\n", max_size=12).map(str.encode), max_size=6)


@given(_secrets, st.data())
@settings(max_examples=150, deadline=None)
def test_cut_anywhere_a_log_is_masked_as_a_whole(secrets: list[bytes], data: st.DataObject) -> None:
    known = masker(*secrets)
    words = [*secrets, *map(b64encode, secrets)]
    parts = data.draw(
        st.lists(st.one_of(st.sampled_from(words), st.text("ab=\n", max_size=5).map(str.encode)))
    )
    text = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = StatusMasker(known)
    pieces = [
        shown(stream.mask(log("a", text[start:end])))
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
    ]
    output = b"".join(pieces) + shown(stream.finish())
    assert output == known.mask(text)
    assert not any(secret in output for secret in secrets)


@given(_secrets, _texts)
@settings(max_examples=50, deadline=None)
@example([b"abab"], [b"ab", b"ab"])
def test_no_more_is_kept_than_may_be_a_secret(secrets: list[bytes], texts: list[bytes]) -> None:
    known = masker(*secrets)
    stream = StatusMasker(known)
    came = b""
    for text in texts:
        came += text
        stream.mask(log("a", text))
        kept = came[known.undecided(came) :]
        # Of a line that is whole only what is much of a secret, for it may be wrapped there.
        assert b"\n" not in kept or len(kept.partition(b"\n")[0]) >= 8
        assert len(kept) < 2 * max(map(len, known._forms))


@given(_secrets, st.data())
@settings(max_examples=150, deadline=None)
def test_cut_anywhere_no_secret_is_seen(secrets: list[bytes], data: st.DataObject) -> None:
    known = masker(*secrets)
    unseen = st.sampled_from(
        [b"\x1b[1m", b"\x1b[K", b"\0", "\u200b".encode(), b"\r", b"_\b", b"\x1b]0;a\x07", b""]
    )
    parts: list[bytes] = []
    for secret in data.draw(st.lists(st.sampled_from(secrets), max_size=3)):
        parts += [bytes((byte,)) + data.draw(unseen) for byte in secret]
        parts.append(data.draw(st.sampled_from([b"a", b"b\n", b"\x1b", b"[", b"\xe2", b"c"])))
    text = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = StatusMasker(known)
    output = b"".join(
        shown(stream.mask(log("a", text[start:end])))
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
    )
    output += shown(stream.finish())
    for seen in (output, VisibleBytes(output).text):
        assert not any(secret in seen for secret in secrets)


def test_the_end_of_a_piece_waits_for_the_line_to_go_on() -> None:
    stream = StatusMasker(masker(b"secret"))
    assert shown(stream.mask(log("a", b"the sec"))) == b"the "
    assert shown(stream.mask(log("b", b"ret"))) == b"ret", "another step's"
    assert shown(stream.mask(log("a", b"ond\n"))) == b"second\n"
    assert shown(stream.mask(log("a", b"sec"))) == b""
    assert shown(stream.mask(log("a", b"ret"))) == b"***"


def test_stdout_and_stderr_are_apart() -> None:
    stream = StatusMasker(masker(b"secret"))
    stream.mask(log("a", b"sec"))
    assert stream.mask(SolveStatus(logs=(VertexLog("a", b"x\n", 2),))).logs == (VertexLog("a", b"x\n", 2),)
    assert shown(stream.mask(log("a", b"ret"))) == b"***"


def test_what_is_kept_comes_when_the_step_completes() -> None:
    stream = StatusMasker(masker(b"secret"))
    stream.mask(log("a", b"12 sec", at=3))
    masked = stream.mask(vertex("a", 0, 4))
    assert masked.logs == (VertexLog("a", b"sec", 1, 3_000_000_000),)
    assert stream.finish().logs == ()


def test_all_of_a_message() -> None:
    stream = StatusMasker(masker(b"secret"))
    message = merged(
        SolveStatus(
            (Vertex("a", "RUN secret", error="secret failed", progress_group=ProgressGroup("g", "secret")),),
            (VertexStatus("push secret", "a", "c2VjcmV0"),),
        ),
        SolveStatus(
            warnings=(
                VertexWarning(
                    "a",
                    b"secret",
                    detail=(b"a secret",),
                    url="http://secret",
                    source_info=SourceInfo("secret", b"RUN secret\n", definition=b"..secret"),
                ),
            )
        ),
    )
    masked = stream.mask(message)
    assert "secret" not in repr(masked)
    assert "c2VjcmV0" not in repr(masked)
    assert masked.vertexes[0].name == "RUN ***"
    assert masked.warnings[0].source_info == SourceInfo("***", b"RUN ***\n")


def test_without_secrets_a_message_is_left_as_it_is() -> None:
    message = merged(vertex("a", 0, 1), log("a", b"text"))
    assert StatusMasker(Masker()).mask(message) is message


def test_an_error() -> None:
    error = SolveError(
        "failed: secret",
        excerpts=[SourceExcerpt("Dockerfile", b"FROM a\nRUN secret\n", ((2, 2),))],
        denials=["no secret"],
        hint="secret?",
    )
    mask_error(masker(b"secret"), error)
    assert "secret" not in str(error) + error.message + repr(error.excerpts) + repr(error.denials)
    assert "secret" not in error.hint
    assert error.excerpts[0].ranges == ((2, 2),)


def test_of_many_tokens_the_latest_are_hidden_and_what_was_offered_always_is() -> None:
    known = masker(b"offered-secret")
    sizes = []
    for number in range(200):
        known.learn_token(b"token-%04d-of-an-account" % number)
        known.learn_token(b"token-0000-of-an-account")  # which is in use
        assert known.mask(b"token-%04d-of-an-account" % number) == b"***"
        sizes.append(len(known._known))
    assert sizes[-1] == sizes[40]
    assert known.mask(b"token-0000-of-an-account offered-secret") == b"*** ***"
    assert known.mask(b"token-0001-of-an-account") == b"token-0001-of-an-account"


def test_a_token_that_was_offered_too_is_never_forgotten() -> None:
    known = masker(b"offered-secret")
    known.learn_token(b"offered-secret")
    for number in range(100):
        known.learn_token(b"token-%04d" % number)
    assert known.mask(b"offered-secret") == b"***"


def test_ends_of_streams_that_nobody_announced_are_bounded_and_hidden() -> None:
    stream = StatusMasker(masker(b"secret"))
    given = [stream.mask(log(f"{number}", b"sec")) for number in range(5000)]
    assert shown(stream.mask(log("4999", b"ret\n"))) == b"***\n"
    assert set(map(shown, given)) == {b"", b"***"}
    assert shown(stream.finish()).count(b"sec") < 3000


def test_a_completion_costs_the_same_however_many_streams_are_kept() -> None:
    def seconds(streams: int) -> float:
        masking = StatusMasker(masker(b"secret"))
        for number in range(streams):
            masking.mask(log(f"{number}", b"sec"))
        began = time.process_time()
        for number in range(3000):
            masking.mask(vertex(f"v{number}", 1, 2))
        return time.process_time() - began

    assert min(seconds(2000) for _ in range(3)) < 4 * min(seconds(1) for _ in range(3))
