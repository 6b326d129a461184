"""Fitting a network's calibration: known curves come back, seasons weigh the same, too little is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.calibrating import LabelledPairs, bins_of_clarity, fit_calibration
from vcn_ray.cluster.evidence import one_person, strangers
from vcn_ray.errors import InputError

_TRUTH = Calibration(
    stranger_mean=0.05,
    stranger_std=0.09,
    same_mean=0.6,
    same_std=0.12,
    lowest_clarity=0.4,
    highest_clarity=2.0,
    stranger_mean_rise=3.0,
    stranger_std_rise=1.5,
    same_mean_slope=0.4,
    same_std_slope=-0.8,
)


def _season(truth=_TRUTH, same=20_000, different=20_000, seed=0, typical=10.0):
    """Pairs drawn from the curves, of clarities from half the typical one to half as much again."""
    rng = np.random.default_rng(seed)
    clarity = typical * rng.uniform(0.5, 1.5, same + different)
    of_one = np.arange(same + different) < same
    truth = truth.model_copy(update={"typical_clarity": typical})
    curves = one_person(clarity, truth), strangers(clarity, truth)
    mean, std = (np.where(of_one, *both) for both in zip(*curves, strict=True))
    return LabelledPairs(rng.normal(mean, std), clarity, of_one)


def test_known_curves_come_back():
    found = fit_calibration([_season()], typical_clarity=10.0)
    for name, places in (("mean", 0.005), ("std", 0.005)):
        assert getattr(found, f"same_{name}") == pytest.approx(getattr(_TRUTH, f"same_{name}"), abs=places)
        assert getattr(found, f"stranger_{name}") == pytest.approx(getattr(_TRUTH, f"stranger_{name}"), abs=places)
    clarity = np.linspace(5.5, 14.5, 20)
    for curve in (one_person, strangers):
        for got, expected in zip(curve(clarity, found), curve(clarity, _TRUTH), strict=True):
            np.testing.assert_allclose(got, np.broadcast_to(expected, clarity.shape), atol=0.012)


def test_bins_hold_the_fit_against_what_was_measured():
    season = _season()
    bins = bins_of_clarity([season], fit_calibration([season], typical_clarity=10.0))
    assert sum(b.pairs for b in bins) == len(season.cosine)
    for b in bins:
        assert b.curve_mean == pytest.approx(b.mean, abs=0.02)
        assert b.curve_std == pytest.approx(b.std, rel=0.15)
    wrong = bins_of_clarity([season], _TRUTH.model_copy(update={"same_mean": 0.3}))
    assert all(b.mean - b.curve_mean > 0.2 for b in wrong if b.same)


def test_typical_clarity_and_its_range_are_those_of_the_tracks():
    season = _season(typical=37.0)
    found = fit_calibration([season])
    assert found.typical_clarity == pytest.approx(37.0, abs=1)
    assert found.lowest_clarity == pytest.approx(0.5, abs=0.02)
    assert found.highest_clarity == pytest.approx(1.5, abs=0.03)
    assert found.same_mean == pytest.approx(0.6, abs=0.01)


def test_a_season_of_a_hundred_times_the_pairs_weighs_the_same():
    one = _season(same=300, different=300)
    low = _season(_TRUTH.model_copy(update={"same_mean": 0.4}), 30_000, 30_000, seed=1)
    assert fit_calibration([one, low]).same_mean == pytest.approx(0.5, abs=0.015)


def test_few_pairs_weigh_less_and_very_few_nothing():
    whole = _season()
    few = _season(_TRUTH.model_copy(update={"same_mean": 0.2}), same=50, seed=1)
    assert 0.5 < fit_calibration([whole, few]).same_mean < 0.56  # 50 of 200 pairs: a quarter of the weight

    def without(count):
        return LabelledPairs(few.cosine[count:], few.clarity[count:], few.same[count:])

    assert fit_calibration([whole, without(30)]).same_mean != fit_calibration([whole, without(50)]).same_mean
    assert fit_calibration([whole, without(31)]) == fit_calibration([whole, without(50)])  # 19 are left, and none


def test_pairs_seen_less_clearly_never_say_more():
    slopes = {"stranger_mean_rise": -1.0, "stranger_std_rise": -1.0, "same_mean_slope": -0.2, "same_std_slope": 0.5}
    found = fit_calibration([_season(_TRUTH.model_copy(update=slopes))], 10.0)
    assert [getattr(found, name) for name in slopes] == [0.0] * 4


def test_a_network_whose_clarity_says_nothing_gets_level_curves():
    season = _season()
    found = fit_calibration([replace(season, clarity=np.ones(len(season.clarity)))])
    assert found.typical_clarity == 1.0
    slopes = ("same_mean_slope", "same_std_slope", "stranger_mean_rise", "stranger_std_rise")
    assert [getattr(found, name) for name in slopes] == [0.0] * 4


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_order_of_pairs_and_seasons_changes_nothing(seed):
    seasons = [_season(same=200, different=500, seed=n) for n in range(3)]
    order = np.random.default_rng(seed).permutation(700)
    mixed = [LabelledPairs(s.cosine[order], s.clarity[order], s.same[order]) for s in reversed(seasons)]
    one, other = fit_calibration(seasons).model_dump(), fit_calibration(mixed).model_dump()
    assert one == pytest.approx(other, abs=1e-2)


@pytest.mark.parametrize(
    ("seasons", "says"),
    [
        ([], "one person, and here none has more than 0"),
        ([_season(same=19, different=100), _season(same=3, different=100)], "one person, .* more than 19"),
        ([_season(same=100, different=7)], "strangers, .* more than 7"),
    ],
)
def test_too_few_pairs_are_named(seasons, says):
    with pytest.raises(InputError, match=says):
        fit_calibration(seasons)


def test_equal_cosines_have_a_spread_all_the_same():
    season = _season(same=100, different=100)
    found = fit_calibration([replace(season, cosine=np.where(season.same, 0.7, 0.1))])
    assert 0 < found.same_std < 0.01
    assert (found.same_mean, found.stranger_mean) == pytest.approx((0.7, 0.1), abs=1e-3)
