"""The matrix forms equal the paper's definitions, pair by pair."""

from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.cluster.similarity import losses, mean_directions, own_pair_losses, row_blocks, track_means


def _outputs(seed: int, counts: list[int], k: int = 6):
    rng = np.random.default_rng(seed)
    rows = sum(counts)
    logits = rng.normal(size=(2, rows, k)) * 2
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return np.exp(log_p[0]), log_p[1], np.repeat(np.arange(len(counts)), counts)


def _pair_loss(p, log_q, a, b):
    return -float(p[a] @ log_q[b])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 4), min_size=2, max_size=5))
def test_loss_of_two_tracks_is_the_mean_over_all_pairs_of_crops_and_both_directions(seed, counts):
    p, log_q, track = _outputs(seed, counts)
    matrix = losses(*(track_means(x, track, len(counts)) for x in (p, log_q)), slice(None))
    for s in range(len(counts)):
        for t in range(len(counts)):
            pairs = [(a, b) for a in np.flatnonzero(track == s) for b in np.flatnonzero(track == t)]
            expected = np.mean([(_pair_loss(p, log_q, a, b) + _pair_loss(p, log_q, b, a)) / 2 for a, b in pairs])
            assert np.isclose(matrix[s, t], expected)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_own_threshold_is_the_mean_over_pairs_of_different_crops(seed, counts):
    p, log_q, track = _outputs(seed, counts)
    own = own_pair_losses(p, log_q, track, len(counts))
    for t in range(len(counts)):
        rows = np.flatnonzero(track == t)
        pairs = [(a, b) for a in rows for b in rows if a != b] or [(rows[0], rows[0])]
        assert np.isclose(own[t], np.mean([_pair_loss(p, log_q, a, b) for a, b in pairs]))


def test_direction_does_not_depend_on_the_norm_of_a_crop():
    rng = np.random.default_rng(0)
    e, track = rng.normal(size=(6, 8)), np.array([0, 0, 1, 1, 2, 2])
    scaled = e * rng.uniform(0.1, 9, size=(6, 1))
    assert np.allclose(mean_directions(e, track, 3), mean_directions(scaled, track, 3))


@given(st.integers(0, 10**7))
@settings(max_examples=30, deadline=None)
def test_blocks_of_rows_hold_as_many_numbers_however_many_tracks_there_are(count):
    first = next(row_blocks(count), slice(0, 0))
    assert (first.stop - first.start) * count <= 4096**2
    assert first.stop == count or count > 4096


@given(st.integers(0, 300), st.integers(1, 1000))
@settings(max_examples=30, deadline=None)
def test_blocks_of_rows_cover_each_row_once(count, pairs):
    with patch("vcn_ray.cluster.similarity._BLOCK_PAIRS", pairs):
        assert [row for part in row_blocks(count) for row in range(part.start, part.stop)] == list(range(count))
