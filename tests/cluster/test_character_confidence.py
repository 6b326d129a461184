"""What is known of characters: two people in one are doubted, and so is a heap of unclear faces; nothing is certain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.character_confidence import CharacterReliance, character_confidence, log_odds_between_halves
from vcn_ray.cluster.evidence import Evidence

_ALIKE, _STRANGE = 3.5, 0.0  # what one person's pairs and strangers' have on average, in spreads of strangers
_CLEAR = Calibration().typical_clarity


def _found(similarity, labels, clarity=_CLEAR, typical=_CLEAR):
    clarities = np.broadcast_to(np.asarray(clarity, np.float64), len(labels)).copy()
    return character_confidence(similarity, clarities, np.asarray(labels), Evidence(), typical)


def _people(*sizes, between=_STRANGE):
    who = np.repeat(np.arange(len(sizes)), sizes)
    return np.where(who[:, None] == who[None], _ALIKE, between)


def test_tracks_alike_are_one_person_and_those_of_two_people_are_not():
    one = _found(_people(8), np.zeros(8, int)).one_person
    two = _found(_people(4, 4), np.zeros(8, int)).one_person
    assert (one > 0.95).all()
    assert (two < 0.5).all()


def test_each_character_is_judged_by_itself_and_unknown_tracks_have_nothing():
    labels = np.array([0, 0, 0, 1, 1, 1, -1])
    found = _found(_people(3, 1, 2, 1), labels)  # character 1 holds two people
    assert len(set(found.one_person[:3])) == len(set(found.one_person[3:6])) == 1
    assert found.one_person[0] > 0.9 > 0.5 > found.one_person[3]
    assert np.isnan(found.one_person[6])
    assert np.isnan(found.is_person[6])


def test_a_single_track_is_one_person_but_perhaps_nobody():
    dim, clear = (_found(_people(1), [0], clarity=factor * _CLEAR) for factor in (0.6, 1.2))
    assert dim.one_person[0] == clear.one_person[0] == 1
    assert dim.is_person[0] < 0.5 < 0.9 < clear.is_person[0]


def test_a_clear_face_among_blurs_makes_it_a_person():
    blurs = np.full(3, 0.6 * _CLEAR)
    with_one = np.array([0.6, 0.6, 1.1]) * _CLEAR
    labels = np.zeros(3, int)
    assert _found(_people(3), labels, with_one).is_person[0] > _found(_people(3), labels, blurs).is_person[0] + 0.2


def test_of_a_network_without_calibration_it_is_not_known_what_is_a_person():
    found = _found(_people(3), np.zeros(3, int), typical=None)
    assert np.isnan(found.is_person).all()
    assert np.isfinite(found.one_person).all()


def test_a_title_without_tracks_or_without_characters_has_nothing():
    assert _found(np.zeros((0, 0)), []).one_person.shape == (0,)
    assert np.isnan(_found(_people(2), [-1, -1]).is_person).all()


def test_the_halves_are_those_that_are_least_alike():
    pair = log_odds_between_halves(_people(2, 2), np.full(4, _CLEAR), Evidence())
    evidence = Evidence()
    assert pair == pytest.approx(float(evidence.log_odds(np.array(_STRANGE), np.array(_CLEAR), 4.0, 2)))
    assert log_odds_between_halves(_people(1), np.array([_CLEAR]), evidence) == np.inf


@settings(deadline=None)
@given(st.floats(-50, 500), st.floats(-50, 500))
def test_the_more_alike_the_halves_the_more_one_person_and_never_certain(a, b):
    low, high = (CharacterReliance().one_person(odds) for odds in sorted((a, b)))
    assert 0 < low <= high < 0.9995


@settings(deadline=None)
@given(st.floats(0.01, 5), st.floats(0.01, 5), st.integers(1, 500), st.integers(1, 500))
def test_clearer_and_more_tracks_are_a_person_sooner_and_never_certain(a, b, m, n):
    reliance = CharacterReliance()
    (dim, clear), (few, many) = sorted((a, b)), sorted((m, n))
    assert (
        0 < reliance.is_person(dim, few) <= reliance.is_person(clear, few) <= reliance.is_person(clear, many) < 0.9995
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_the_order_of_tracks_says_nothing(seed, n):
    rng = np.random.default_rng(seed)
    noise = rng.normal(1.5, 1.5, (n, n))
    similarity, clarity = (noise + noise.T) / 2, _CLEAR * rng.uniform(0.6, 1.3, n)
    labels, order = rng.integers(-1, 3, n), rng.permutation(n)
    found, other = (
        _found(similarity, labels, clarity),
        _found(similarity[order][:, order], labels[order], clarity[order]),
    )
    for name in ("one_person", "is_person"):
        np.testing.assert_allclose(getattr(found, name)[order], getattr(other, name), rtol=1e-9)
