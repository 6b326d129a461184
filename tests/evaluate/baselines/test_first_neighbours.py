"""First-neighbour clustering against its definition."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.evaluate.baselines.first_neighbours import FINCH, first_neighbour_partitions, nearest_by_cosine
from vcn_ray.evaluate.baselines.labels import by_appearance


def _by_definition(vectors):
    """Components of Eq. 1's matrix, all three cases written out, by repeated multiplication."""
    cosine = (vectors @ vectors.T) / np.outer(np.linalg.norm(vectors, axis=1), np.linalg.norm(vectors, axis=1))
    np.fill_diagonal(cosine, -2)
    near = cosine.argmax(axis=1)
    n = len(vectors)
    linked = np.eye(n, dtype=bool)
    for i in range(n):
        for j in range(n):
            linked[i, j] |= near[i] == j or near[j] == i or near[i] == near[j]
    for _ in range(n):
        linked = linked @ linked
    return by_appearance(linked.argmax(axis=1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 14))
def test_first_and_second_partition_are_those_of_the_paper(seed, n):
    vectors = np.random.default_rng(seed).normal(size=(n, 4))
    partitions = first_neighbour_partitions(vectors)
    first = _by_definition(vectors)
    assert partitions[0].tolist() == first.tolist()
    if len(partitions) > 1:
        means = np.stack([vectors[first == k].mean(axis=0) for k in range(first.max() + 1)])
        assert partitions[1].tolist() == by_appearance(_by_definition(means)[first]).tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_partitions_grow_into_one_cluster_and_do_not_depend_on_the_order(seed, n):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(n, 5))
    partitions = first_neighbour_partitions(vectors)
    for fine, coarse in pairwise(partitions):
        assert coarse.max() < fine.max()
        assert all(len(set(coarse[fine == k].tolist())) == 1 for k in range(fine.max() + 1))
    assert partitions[-1].max() == 0
    if n > 1:
        assert np.bincount(partitions[0]).min() >= 2
    order = random.permutation(n)
    for whole, shuffled in zip(partitions, first_neighbour_partitions(vectors[order]), strict=True):
        assert by_appearance(whole[order]).tolist() == shuffled.tolist()


def test_nearest_is_found_across_blocks():
    vectors = np.random.default_rng(1).normal(size=(50, 6))
    whole = nearest_by_cosine(vectors)
    assert nearest_by_cosine(vectors, block_rows=7).tolist() == whole.tolist()


def test_a_partition_too_many_is_the_last_one(make_title):
    faces, _ = make_title()
    cut = FINCH.prepare(faces, 0)
    assert cut(partition=99).max() == 0
    assert cut(partition=1).max() > 0
