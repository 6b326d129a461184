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
    hac_labels,
    mean_embeddings,
    oracle_hac_labels,
)


def _people(rng, people=4, tracks=6, noise=0.25, dim=16):
    centres = rng.normal(size=(people, dim))
    identity = np.repeat(np.arange(people), tracks)
    return centres[identity] + noise * rng.normal(size=(people * tracks, dim)), identity


def test_separate_people_are_found_in_every_way():
    x, identity = _people(np.random.default_rng(0))
    for labels in (hac_labels(x, threshold=0.6), hac_labels(x, n_clusters=4), oracle_hac_labels(x, identity.tolist())):
        assert labels.tolist() == identity.tolist()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_equals_scikit_learn(seed, n_clusters):
    x = np.random.default_rng(seed).normal(size=(20, 5))
    expected = AgglomerativeClustering(n_clusters, metric="cosine", linkage="average").fit_predict(x)
    assert adjusted_rand_score(expected, hac_labels(x, n_clusters=n_clusters)) == 1
    expected = AgglomerativeClustering(None, metric="cosine", linkage="average", distance_threshold=0.7).fit_predict(x)
    assert adjusted_rand_score(expected, hac_labels(x, threshold=0.3)) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=20))
def test_forbidden_pairs_never_meet(seed, pairs):
    x = np.random.default_rng(seed).normal(size=(15, 4))
    forbidden = np.array([p for p in pairs if p[0] != p[1]], dtype=np.int64).reshape(-1, 2)
    for labels in (hac_labels(x, threshold=-1, cannot_link=forbidden), hac_labels(x, None, 1, forbidden)):
        assert (labels[forbidden[:, 0]] != labels[forbidden[:, 1]]).all()
    if not len(forbidden):
        assert set(hac_labels(x, n_clusters=1, cannot_link=forbidden)) == {0}


def test_oracle_is_never_worse_than_a_threshold():
    from vcn_ray.evaluate.metrics import cluster_scores

    x, identity = _people(np.random.default_rng(3), noise=1.2)
    best = cluster_scores(oracle_hac_labels(x, identity.tolist()).tolist(), identity.tolist()).bcubed_f
    for threshold in np.linspace(-0.5, 1, 31):
        assert best >= cluster_scores(hac_labels(x, threshold).tolist(), identity.tolist()).bcubed_f


def test_mean_embeddings_weigh_each_crop_alike():
    tracks, means = mean_embeddings(np.array([[10.0, 0], [0, 1], [3, 0]]), np.array([5, 5, 2]))
    assert tracks.tolist() == [2, 5]
    assert means == pytest.approx(np.array([[1, 0], [0.5, 0.5]]))


def test_one_track_and_contradictory_arguments():
    assert hac_labels(np.ones((1, 3)), threshold=0.4).tolist() == [0]
    with pytest.raises(ValueError, match="give one of"):
        hac_labels(np.ones((2, 3)))


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
