"""W3C Trace Context: what is a place in a trace, and how it is handed on."""

from __future__ import annotations

import pytest

from buildctl.telemetry.traceparent import given_context, new_context, parse_trace_context

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def test_a_parent_is_handed_on() -> None:
    context = given_context(
        {"TRACEPARENT": PARENT, "TRACESTATE": "congo=t61rcWkgMzE , rojo=00f067aa0ba902b7,"}
    )
    assert context is not None
    assert context.metadata == (
        ("traceparent", PARENT),
        ("tracestate", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
    )


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-03"),
        (f"00-{TRACE}-{SPAN}-f9", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-01", PARENT),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", PARENT),
    ],
)
def test_flags_and_later_versions(given: str, sent: str) -> None:
    context = parse_trace_context(given)
    assert context is not None
    assert context.metadata == (("traceparent", sent),)


@pytest.mark.parametrize(
    "given",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
        f" {PARENT}",
    ],
)
def test_what_is_no_parent(given: str) -> None:
    assert parse_trace_context(given, "a=1") is None


@pytest.mark.parametrize(
    "state",
    [
        "a",
        "a=",
        "=1",
        "a=1,a=2",
        "A=1",
        "a=1=2",
        "a=\u00e9",
        "a=1\r\nb: 2",
        "a@b@c=1",
        "a=1 ,b",
        f"{'a' * 257}=1",
        f"a={'1' * 257}",
        ",".join(f"k{number}=1" for number in range(33)),
    ],
)
def test_a_bad_state_is_dropped_alone(state: str) -> None:
    context = parse_trace_context(PARENT, state)
    assert context is not None
    assert context.metadata == (("traceparent", PARENT),)


@pytest.mark.parametrize("state", ["a=1", "tenant@system=x y", "1a@b=!", f"a={'1' * 256}", "a=1,b=2,c=3"])
def test_a_good_state(state: str) -> None:
    context = parse_trace_context(PARENT, state)
    assert context is not None
    assert context.state == state


def test_a_new_trace_is_sampled_and_never_the_same() -> None:
    one, other = new_context(), new_context()
    assert one.trace_id != other.trace_id
    assert parse_trace_context(one.metadata[0][1]) == one
    assert one.flags & 1
