"""Numbers behind the drawings: everything lies within them, times read well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.export.charts import chance_text, clock, iteration_curve, reliability_curve, span_text, time_ticks

_values = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=30)


@given(_values)
def test_curve_lies_within_its_drawing(values):
    curve = iteration_curve("Loss", list(range(len(values))), values, 2)
    if all(v is None for v in values):
        assert curve is None
        return
    assert [p.iteration for p in curve.points] == [k for k, v in enumerate(values) if v is not None]
    for point in curve.points:
        assert 0 <= point.x <= curve.width
        assert 0 < point.y < curve.baseline
    assert 1 <= len(curve.ticks) <= 13


def test_higher_values_are_drawn_higher_and_labels_have_units():
    curve = iteration_curve("WCP", [0, 1], [0.5, 0.875], 1, percent=True)
    assert curve.points[0].y > curve.points[1].y
    assert [p.text for p in curve.points] == ["50.0 %", "87.5 %"]
    assert "1: 87.5 %" in curve.description


def test_not_a_number_is_left_out():
    assert iteration_curve("Loss", [0, 1], [float("nan"), None], 2) is None


@given(st.floats(0, 1e6), st.integers(1, 130))
def test_ticks_are_few_and_within_the_time_line(duration_s, most):
    ticks = time_ticks(duration_s, most)
    assert ticks[0] == (0.0, "0:00")
    assert len(ticks) <= most + 1
    assert all(0 <= share <= 1 for share, _ in ticks)
    assert [share for share, _ in ticks] == sorted({share for share, _ in ticks})


@pytest.mark.parametrize(
    ("seconds", "position", "length"),
    [
        (0, "0:00", "0.0 s"),
        (9.94, "0:09", "9.9 s"),
        (9.96, "0:09", "10 s"),
        (59.7, "0:59", "1 min"),
        (192, "3:12", "3 min 12 s"),
        (3840, "1:04:00", "1 h 04 min"),
    ],
)
def test_times_read_well(seconds, position, length):
    assert (clock(seconds), span_text(seconds)) == (position, length)


@given(st.floats(0, 1))
def test_a_chance_is_never_told_higher_than_it_is_except_the_smallest(probability):
    text = chance_text(probability)
    assert text == "under 1 %" or int(text.removeprefix("over ").removesuffix(" %")) <= 100 * probability + 1e-6
    assert "100" not in text


@pytest.mark.parametrize(("probability", "text"), [(0.29, "29 %"), (0.58, "58 %"), (0.299, "29 %"), (0.99, "99 %")])
def test_a_chance_of_whole_per_cent_is_told_as_it_is(probability, text):
    assert chance_text(probability) == text


_shares = st.one_of(st.none(), st.tuples(st.floats(0, 1), st.floats(0, 1)))


@given(st.lists(_shares, min_size=8, max_size=8))
def test_reliability_lies_within_its_drawing_and_leaves_empty_bins_out(means):
    bins = [
        {"low": k / 8, "high": (k + 1) / 8, "tracks": 3 if m else 0}
        | dict(zip(("mean_confidence", "right"), m or (None, None), strict=True))
        for k, m in enumerate(means)
    ]
    curve = reliability_curve(bins)
    if not any(means):
        assert curve is None
        return
    filled = [m for m in means if m]
    assert len(curve.points) == len(filled)
    for point, (said, right) in zip(curve.points, filled, strict=True):
        assert 0 <= point.x <= curve.width
        assert 0 < point.y_said <= curve.baseline
        assert 0 < point.y_right <= curve.baseline
        assert (point.y_right <= point.y_said) == (right >= said) or point.y_right == pytest.approx(point.y_said)
    assert "3 tracks" in curve.description
    assert {point.count for point in curve.points} == {"3"}
