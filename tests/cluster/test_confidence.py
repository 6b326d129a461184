"""How probable each track's character is: what is clear is near 1, what could be either is even, order says nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.confidence import Reliance, assignment_probability, weigh_labels
from vcn_ray.cluster.evidence import Evidence

_ALIKE, _STRANGE = 3.5, 0.0  # what one person's pairs and strangers' have on average, in spreads of strangers
_CLEAR = Calibration().typical_clarity
_TWO = np.repeat([0, 1], 4)


def _similarity(labels):
    return np.where(labels[:, None] == labels[None], _ALIKE, _STRANGE)


def _probability(similarity, labels, apart=(), clarity=_CLEAR):
    cannot_link = np.zeros(similarity.shape, bool)
    for a, b in apart:
        cannot_link[a, b] = cannot_link[b, a] = True
    clarities = np.broadcast_to(np.asarray(clarity, np.float64), len(labels)).copy()
    return weigh_labels(similarity, clarities, np.asarray(labels), cannot_link, Evidence()).posterior


def _between(value):
    """Two characters of four, and a ninth track, of the first, that is as similar to the one as to the other."""
    labels = np.r_[_TWO, 0]
    similarity = _similarity(labels)
    similarity[8, :8] = similarity[:8, 8] = value
    return similarity, labels


def test_a_clear_member_is_nearly_certain_and_a_stranger_among_them_is_not():
    assert (_probability(_similarity(_TWO), _TWO) > 0.98).all()
    mistaken = np.r_[_TWO[:-1], 0]  # the last is given to the first character, but looks like the second
    assert _probability(_similarity(_TWO), mistaken)[-1] < 0.02


def test_a_track_between_two_characters_is_even():
    similarity, labels = _between(_ALIKE)
    assert _probability(similarity, labels)[8] == pytest.approx(0.5, abs=0.01)


def test_one_that_was_seen_beside_the_other_character_can_only_be_the_first():
    similarity, labels = _between(_ALIKE)
    assert _probability(similarity, labels, apart=[(8, 5)])[8] > 0.98


def test_what_is_seen_dimly_says_less():
    clarity = _CLEAR * np.where(_TWO == 0, 1.0, 0.6)
    found = _probability(_similarity(_TWO), _TWO, clarity=clarity)
    assert found[_TWO == 1].max() < found[_TWO == 0].min()


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0, 2.0, 3.0])
def test_a_lone_track_is_nobody_else_the_more_the_less_it_looks_like_anybody(value):
    similarity, labels = _between(value)
    labels[8] = 2
    alone = _probability(similarity, labels)[8]
    similarity, labels = _between(value + 0.5)
    labels[8] = 2
    assert _probability(similarity, labels)[8] < alone
    if value <= 0:
        assert alone > 0.98


def test_a_track_alone_in_the_title_is_certain():
    assert _probability(np.ones((1, 1)), [0]).tolist() == [1.0]


def test_tracks_that_a_person_linked_are_as_sure_as_their_group():
    """Track 8 looks like the second character, but was said to be one with four clear tracks of the first."""
    similarity, labels = _between(_STRANGE)
    similarity[8, 4:8] = similarity[4:8, 8] = _ALIKE
    clarity, nobody = np.full(9, _CLEAR), np.zeros((9, 9), bool)
    args = similarity, clarity, labels, nobody, Evidence()
    alone, linked = weigh_labels(*args).posterior, weigh_labels(*args, np.r_[0, 1, 2, 0, 4:8, 0]).posterior
    assert alone[8] < 0.02
    assert linked[0] == linked[3] == linked[8] > 0.5
    assert linked[[1, 2, 4, 5, 6, 7]].tolist() == alone[[1, 2, 4, 5, 6, 7]].tolist()
    whole = weigh_labels(*args, np.r_[[0] * 4, 4:8, 0]).posterior  # the group is all of its character
    assert whole[0] == whole[8] > 0.5


def test_a_group_is_weighed_by_average_similarity_to_each_character():
    rng = np.random.default_rng(2)
    similarity = rng.normal(1.0, 1.0, (7, 7))
    similarity = (similarity + similarity.T) / 2
    labels, group, clarity = np.array([0, 0, 0, 1, 1, 2, 0]), np.array([0, 0, 2, 3, 4, 5, 6]), rng.uniform(8, 12, 7)
    apart = np.zeros((7, 7), bool)
    apart[1, 5] = apart[5, 1] = True
    found = weigh_labels(similarity, clarity, labels, apart, Evidence(), group).posterior
    odds = []
    for others in ([2, 6], [3, 4]):  # the third character holds one who is not the second track
        pair, weight = np.ix_([0, 1], others), np.outer(clarity[:2], clarity[others])
        centre = [(clarity[side] ** 2).sum() / clarity[side].sum() for side in ([0, 1], others)]
        sizes = [clarity[side].sum() ** 2 / (clarity[side] ** 2).sum() for side in ([0, 1], others)]
        value = (similarity[pair] * weight).sum() / weight.sum()
        odds.append(float(Evidence().log_odds(value, np.sqrt(np.prod(centre)), np.prod(sizes), 2)))
    assert found[0] == found[1] == pytest.approx(np.exp(odds[0]) / (np.exp(odds).sum() + 1))


def test_unknown_tracks_have_none_and_speak_for_nobody():
    similarity = _similarity(np.r_[_TWO, 0, 0])
    with_unknown = _probability(similarity, np.r_[_TWO, -1, -1])
    assert np.isnan(with_unknown[8:]).all()
    assert with_unknown[:8] == pytest.approx(_probability(similarity[:8, :8], _TWO))
    assert np.isnan(_probability(similarity, np.full(10, -1))).all()


@st.composite
def _titles(draw):
    """Tracks with similarities, clarities and labels of any kind, and an order to bring them into."""
    n = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    similarity = rng.normal(1.5, 2.0, (n, n))
    drawn = draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n))
    labels = np.unique([-1, *drawn], return_inverse=True)[1][1:] - 1
    apart = (rng.random((n, n)) < 0.2) & (labels[:, None] != labels[None])
    return (similarity + similarity.T) / 2, rng.uniform(5, 15, n), labels, apart | apart.T, rng.permutation(n)


@settings(max_examples=60, deadline=None)
@given(_titles())
def test_order_and_numbers_say_nothing_and_all_are_probabilities(title):
    similarity, clarity, labels, apart, order = title
    found = assignment_probability(similarity, clarity, labels, apart, Evidence())
    assert (np.isnan(found) == (labels < 0)).all()
    assert ((found[labels >= 0] >= 0) & (found[labels >= 0] <= 1)).all()
    square = np.ix_(order, order)
    moved = assignment_probability(similarity[square], clarity[order], labels[order], apart[square], Evidence())
    assert moved == pytest.approx(found[order], abs=1e-9, nan_ok=True)
    renamed = np.where(labels >= 0, labels.max() - labels, -1)
    assert assignment_probability(similarity, clarity, renamed, apart, Evidence()) == pytest.approx(
        found, abs=1e-9, nan_ok=True
    )


def test_nothing_is_certain_and_what_looks_less_like_its_character_is_less_sure():
    """Ten tracks in two characters: whatever the evidence says, so few cannot make it sure."""
    sure, doubtful = _similarity(_TWO), _similarity(_TWO)
    doubtful[0, 1:4] = doubtful[1:4, 0] = _ALIKE / 2
    clarity, nobody = np.full(8, _CLEAR), np.zeros((8, 8), bool)
    before, after = (assignment_probability(x, clarity, _TWO, nobody, Evidence()) for x in (sure, doubtful))
    assert (before < 0.995).all()
    assert after[0] < before[0]


@given(st.floats(0, 1), st.floats(-20, 20), st.floats(0, 5), st.booleans())
def test_reliance_rises_with_the_posterior_and_with_likeness(posterior, likeness, more, alone):
    def reliance(p, x):
        return Reliance().probability(np.array([p]), np.array([x]), np.array([alone]))[0]

    assert 0 < reliance(posterior, likeness) <= reliance(posterior, likeness + more) < 0.997
    assert reliance(posterior, likeness) <= reliance(min(1.0, posterior + more / 5), likeness)
