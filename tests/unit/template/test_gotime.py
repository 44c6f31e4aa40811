"""Instants as text: what is written without a layout is what the layout says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildctl.template.gotime import TIME, UTC, Time, Zone
from buildctl.template.tojson import to_json
from buildctl.template.values import Value

ZONES = (UTC, Zone("Local", "CET", 3600), Zone("Local", "", -12_600), Zone("Local", "GMT", 0))

instants = st.builds(
    Time,
    st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**12), 10**12),
    st.integers(0, 999_999_999) | st.sampled_from((0, 1, 500_000_000)),
    st.sampled_from(ZONES),
)


@given(instants)
@settings(deadline=None)
def test_the_text_is_that_of_the_layout(instant: Time) -> None:
    assert str(instant) == instant.format("2006-01-02 15:04:05.999999999 -0700 MST")


@given(instants)
@settings(deadline=None)
def test_json_is_that_of_the_layout_for_years_of_four_digits(instant: Time) -> None:
    if 0 <= instant.clock().year <= 9999:
        assert to_json(Value(TIME, instant)) == f'"{instant.format("2006-01-02T15:04:05.999999999Z07:00")}"'
    else:
        with pytest.raises(ValueError, match="year outside of range"):
            to_json(Value(TIME, instant))
