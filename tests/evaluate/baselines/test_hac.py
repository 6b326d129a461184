"""Average-linkage clustering: thresholds, true number, hindsight, and pairs that must not be linked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from vcn_ray.evaluate.baselines.hac import (
    at_known_number,
    cosine_distances,
    mean_embeddings,
    merge_tree,
)


def _people(rng, people=4, tracks=6, noise=0.25, dim=16):
    centres = rng.normal(size=(people, dim))
    identity = np.repeat(np.arange(people), tracks)
    return centres[identity] + noise * rng.normal(size=(people * tracks, dim)), identity


def test_separate_people_are_found_in_every_way():
    x, identity = _people(np.random.default_rng(0))
    tree = merge_tree(x)
    for labels in (tree.at_threshold(0.6), tree.at_number(4)):
        assert labels.tolist() == identity.tolist()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_equals_scikit_learn(seed, n_clusters):
    x = np.random.default_rng(seed).normal(size=(20, 5))
    expected = AgglomerativeClustering(n_clusters, metric="cosine", linkage="average").fit_predict(x)
    assert adjusted_rand_score(expected, merge_tree(x).at_number(n_clusters)) == 1
    expected = AgglomerativeClustering(None, metric="cosine", linkage="average", distance_threshold=0.7).fit_predict(x)
    assert adjusted_rand_score(expected, merge_tree(x).at_threshold(0.3)) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=20))
def test_forbidden_pairs_never_meet(seed, pairs):
    x = np.random.default_rng(seed).normal(size=(15, 4))
    forbidden = np.array([p for p in pairs if p[0] != p[1]], dtype=np.int64).reshape(-1, 2)
    tree = merge_tree(x, forbidden)
    for labels in (tree.at_threshold(-1), tree.at_number(1)):
        assert (labels[forbidden[:, 0]] != labels[forbidden[:, 1]]).all()
    if not len(forbidden):
        assert set(tree.at_number(1)) == {0}


def test_all_cuts_hold_the_best_of_any_threshold():
    from vcn_ray.evaluate.metrics import cluster_scores

    x, identity = _people(np.random.default_rng(3), noise=1.2)
    tree = merge_tree(x)
    best = max(cluster_scores(cut.tolist(), identity.tolist()).bcubed_f for cut in tree.all_cuts())
    for threshold in np.linspace(-0.5, 1, 31):
        assert best >= cluster_scores(tree.at_threshold(threshold).tolist(), identity.tolist()).bcubed_f


def test_mean_embeddings_weigh_each_crop_alike():
    tracks, means = mean_embeddings(np.array([[10.0, 0], [0, 1], [3, 0]]), np.array([5, 5, 2]))
    assert tracks.tolist() == [2, 5]
    assert means == pytest.approx(np.array([[1, 0], [0.5, 0.5]]))


def test_one_track_is_one_cluster():
    assert merge_tree(np.ones((1, 3))).at_threshold(0.4).tolist() == [0]


def test_known_number_of_identities(make_title):
    faces, identity = make_title(people=4, tracks=5, noise=0.5)
    for linked in (False, True):
        baseline = at_known_number(4, cannot_link=linked)
        assert baseline.prepare(faces, 0)(**baseline.settings[0]).tolist() == identity.tolist()
    assert at_known_number(20, cannot_link=False).prepare(faces, 0)(n_clusters=20).max() == 19


def test_distances_are_symmetric_and_survive_an_embedding_of_zeros():
    distances = cosine_distances(np.array([[1.0, 0], [0, 2], [-3, 0], [0, 0]]))
    assert distances == pytest.approx(np.array([[0, 1, 2, 1], [1, 0, 1, 1], [2, 1, 0, 1], [1, 1, 1, 0]]))
    assert np.array_equal(distances, distances.T)
