"""Time during which at least one of several pieces of work was under way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.monitoring.spans import covered_s


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        pytest.param([], 0.0, id="none"),
        pytest.param([(5.0, 7.0), (1.0, 2.0)], 3.0, id="apart, the later one first"),
        pytest.param([(1.0, 4.0), (3.0, 6.0)], 5.0, id="overlapping"),
        pytest.param([(0.0, 9.0), (2.0, 3.0), (8.0, 10.0)], 10.0, id="one within another"),
        pytest.param([(1.0, 2.0), (2.0, 3.0)], 2.0, id="one after the other"),
    ],
)
def test_time_without_overlaps_counted_twice(spans: list[tuple[float, float]], seconds: float) -> None:
    assert covered_s(spans) == seconds


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=8))
def test_as_many_seconds_as_a_clock_that_ticks_counts(pieces: list[tuple[int, int]]) -> None:
    ticks = {second for start, length in pieces for second in range(start, start + length)}
    assert covered_s((float(start), float(start + length)) for start, length in pieces) == len(ticks)
