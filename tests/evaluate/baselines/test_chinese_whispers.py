"""Chinese whispers: seeds, separate groups, and a chain that weights decide."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from vcn_ray.evaluate.baselines.chinese_whispers import whispered_labels


def _similarity(seed, n=25):
    x = np.random.default_rng(seed).normal(size=(n, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x @ x.T


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 100), st.sampled_from([0.0, 0.5, 0.8, 1.1]))
def test_same_seed_same_labels_and_no_cluster_spans_two_components(seed, whisper_seed, threshold):
    similarity = _similarity(seed)
    labels = whispered_labels(similarity, threshold, whisper_seed)
    assert labels.tolist() == whispered_labels(similarity, threshold, whisper_seed).tolist()
    edges = (similarity >= threshold) & (similarity > 0)
    component = connected_components(edges, directed=False)[1]
    assert all(len(set(component[labels == k].tolist())) == 1 for k in range(labels.max() + 1))
    alone = (edges.sum(axis=1) - edges.diagonal()) == 0
    assert all((labels == labels[k]).sum() == 1 for k in np.flatnonzero(alone))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_groups_that_are_hardly_linked_stay_two_whatever_the_order(seed):
    similarity = np.full((10, 10), 0.0)
    similarity[:5, :5] = similarity[5:, 5:] = 0.9
    similarity[4, 5] = similarity[5, 4] = 0.3
    assert whispered_labels(similarity, 0.2, seed).tolist() == [0] * 5 + [1] * 5


def test_among_labels_of_equal_weight_an_item_keeps_its_own():
    # A chain: the two in its middle hear as much from either side, and so may stay two groups.
    similarity = np.diag([0.9] * 3, 1) + np.diag([0.9] * 3, -1)
    found = [whispered_labels(similarity, 0.2, seed).tolist() for seed in range(20)]
    assert [0, 0, 1, 1] in found


def test_weights_decide_not_numbers_of_neighbours():
    # The last one has two weak neighbours in one group and a strong one in the other.
    similarity = np.zeros((7, 7))
    similarity[:3, :3] = similarity[3:6, 3:6] = 0.95
    for near, weight in ((0, 0.3), (1, 0.3), (5, 0.9)):
        similarity[6, near] = similarity[near, 6] = weight
    for seed in range(20):
        labels = whispered_labels(similarity, 0.2, seed)
        assert labels[6] == labels[5] != labels[0]
