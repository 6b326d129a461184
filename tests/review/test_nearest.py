"""Who may be whom: people who are alike come first, those seen together are nobody's other half."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.review.nearest import Comparison, Likeness


def season(embedding: np.ndarray, people: list[list[int]], together: list[tuple[int, int]] | None = None) -> Comparison:
    n = len(embedding)
    member = np.full(n, -1)
    for number, rows in enumerate(people):
        member[rows] = number
    pairs = np.array(together or [], np.int64).reshape(-1, 2)
    found = FoundTracks(("t",), np.zeros(n, np.int64), np.arange(n), member, member, pairs)
    return Likeness(found, embedding, Calibration()).compare([np.array(rows) for rows in people])


def tracks(people: int, each: int, spread: float = 0.8, seed: int = 0) -> np.ndarray:
    """(people * each, 64) unit vectors, each person's one after another."""
    random = np.random.default_rng(seed)
    centres = np.linalg.qr(random.normal(size=(64, people)))[0].T
    vectors = np.repeat(centres, each, axis=0) + random.normal(size=(people * each, 64)) * spread / 8
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_two_halves_of_one_person_are_probably_one() -> None:
    # Person 0 is found as tracks 0..3 and 4..7, person 1 as 8..15.
    compared = season(tracks(2, 8), [[0, 1, 2, 3], [4, 5, 6, 7], list(range(8, 16))])
    probability = compared.pair_probability
    assert probability[0, 1] > 0.9
    assert max(probability[0, 2], probability[1, 2]) < 0.1
    assert np.array_equal(probability, probability.T)
    assert not probability.diagonal().any()


def test_who_is_seen_with_somebody_is_not_them() -> None:
    vectors = tracks(1, 9)
    apart = season(vectors, [[0, 1, 2, 3], [4, 5, 6, 7]], [(0, 4), (1, 8)])
    assert apart.together[0, 1]
    assert apart.pair_probability[0, 1] == 0
    unknown = apart.probabilities(np.array([8]))[:, 0]
    assert unknown[0] == 0
    assert unknown[1] > 0.9
    assert apart.probabilities(np.array([8]), [(1, 8)]).max() == 0  # somebody has said that it is not the other, either


def test_a_track_at_the_wrong_person_fits_least_and_is_doubted() -> None:
    vectors = tracks(2, 8)
    people = [[0, 1, 2, 3, 4, 5, 6, 8], [7, 9, 10, 11, 12, 13, 14, 15]]
    compared = season(vectors, people)
    assert [rows[compared.fit[rows].argmin()] for rows in people] == [8, 7]
    assert compared.fit[[8, 7]].max() < 0.1
    assert compared.own_probability[[8, 7]].max() < 0.1
    assert compared.own_probability[[0, 1, 9, 10]].min() > 0.9


def test_a_track_without_a_picture_says_nothing() -> None:
    vectors = tracks(1, 4)
    vectors[3] = 0
    compared = season(vectors, [[0, 1, 3]])
    assert compared.fit[3] == 1
    assert np.isnan(compared.own_probability[3])
    assert compared.probabilities(np.array([2]))[0, 0] > 0.5
    alone = season(vectors, [[3], [0]])
    assert alone.pair_probability.max() == 0


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_what_is_kept_from_before_changes_nothing(data: st.DataObject) -> None:
    """People come, go and change between two moments: compared at once they are as compared for the first time."""
    vectors = tracks(3, 6)
    pairs = np.array([[0, 7], [3, 14]])
    found = FoundTracks(("t",), np.zeros(18, np.int64), np.arange(18), np.repeat([0, 1, 2], 6), np.arange(18), pairs)
    likeness = Likeness(found, vectors, Calibration())
    for _ in range(3):
        owner = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=18, max_size=18)))
        people = [np.flatnonzero(owner == number) for number in range(4) if (owner == number).any()]
        fresh = Likeness(found, vectors, Calibration())
        now, anew = likeness.compare(people), fresh.compare(people)
        assert np.allclose(now.log_odds, anew.log_odds, atol=1e-4)
        probability = now.probabilities(np.arange(18))
        assert (probability >= 0).all()
        assert (probability.sum(axis=0) <= 1 + 1e-9).all()
        own = now.own_probability
        inside = np.flatnonzero(owner >= 0)
        listed = np.array([next(n for n, rows in enumerate(people) if row in rows) for row in inside], np.int64)
        several = np.array([len(people[n]) > 1 for n in listed], bool)
        expected = probability[listed, inside]
        assert own[inside][several] == pytest.approx(expected[several], abs=1e-4)
