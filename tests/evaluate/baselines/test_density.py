"""DBSCAN and HDBSCAN: what is noise, and that the order of tracks does not matter."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from vcn_ray.evaluate.baselines.density import DBSCAN, HDBSCAN
from vcn_ray.evaluate.baselines.hac import cosine_distances
from vcn_ray.evaluate.baselines.labels import by_appearance
from vcn_ray.evaluate.baselines.problem import TrackFaces


def _one_crop_each(vectors):
    n = len(vectors)
    none = np.zeros((n, n), dtype=bool)
    return TrackFaces(vectors, np.arange(n), none)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.4, 0.6]))
def test_with_one_sample_dbscan_is_single_linkage(seed, max_distance):
    vectors = np.random.default_rng(seed).normal(size=(20, 4))
    near = cosine_distances(vectors) <= max_distance
    expected = by_appearance(connected_components(near)[1])
    cut = DBSCAN.prepare(_one_crop_each(vectors), 0)
    assert cut(max_distance=max_distance, min_samples=1).tolist() == expected.tolist()
    alone = near.sum(axis=1) == 1
    with_noise = cut(max_distance=max_distance, min_samples=2)
    assert ((with_noise < 0) == alone).all()
    assert by_appearance(expected[~alone]).tolist() == by_appearance(with_noise[~alone]).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_hdbscan_does_not_depend_on_the_order(seed):
    # With more than one sample many of its distances are equal, and scikit-learn takes the first of them.
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(24, 3))
    order = random.permutation(24)
    labels = HDBSCAN.prepare(_one_crop_each(vectors), 0)(min_samples=1)
    shuffled = HDBSCAN.prepare(_one_crop_each(vectors[order]), 0)(min_samples=1)
    assert by_appearance(labels[order]).tolist() == shuffled.tolist()


def test_an_outlier_is_noise_for_both(make_title):
    faces, identity = make_title(people=2, tracks=6)
    faces.embeddings[faces.track_of_crop == 0] = np.eye(16)[10]
    for labels in (DBSCAN.prepare(faces, 0)(max_distance=0.3, min_samples=2), HDBSCAN.prepare(faces, 0)(min_samples=2)):
        assert labels[0] == -1
        assert by_appearance(identity[1:]).tolist() == labels[1:].tolist()
