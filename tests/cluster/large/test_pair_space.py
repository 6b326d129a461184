"""Products of vectors are the similarities of pairs; what is looked up is what evidence computes."""

import numpy as np
import pytest

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import Evidence, without_clarity
from vcn_ray.cluster.large.neighbours import nearest
from vcn_ray.cluster.large.pair_space import PairSpace, main_directions
from vcn_ray.cluster.large.tabulated import TabulatedEvidence
from vcn_ray.cluster.similarity import unit


def _space(calibration, n=400):
    rng = np.random.default_rng(0)
    clarity = np.where(rng.random(n) < 0.15, rng.uniform(4, 8.5, n), rng.normal(10.5, 1.2, n))
    direction, student = (unit(rng.normal(size=(n, 32)) + 0.5).astype(np.float32) for _ in range(2))
    return PairSpace(direction, clarity, student, calibration, 0.6, 3.0, -0.2)


@pytest.mark.parametrize("calibration", [Calibration(), without_clarity(Calibration())])
def test_products_of_vectors_are_the_similarities(calibration):
    space = _space(calibration)
    tracks = np.arange(400)
    vectors = space.vectors(tracks)
    products = vectors @ (vectors * space.signs).T
    matrix = space.matrix(tracks)
    assert np.sqrt(((products - matrix) ** 2).mean()) < 0.02
    a, b = np.random.default_rng(1).integers(0, 400, (2, 1000))
    assert space.similarity(a, b) == pytest.approx(matrix[a, b], abs=1e-4)
    # so a sum over a cluster's tracks stands for all of its pairs
    first, second = vectors[:50].sum(axis=0), vectors[50:90].sum(axis=0)
    assert first @ (second * space.signs) / 2000 == pytest.approx(matrix[:50, 50:90].mean(), abs=0.005)


def test_the_nearest_in_the_main_directions_are_the_nearest():
    space = _space(Calibration())
    directions, vectors = main_directions(space), space.vectors(np.arange(400))
    found = nearest((vectors * space.signs) @ directions, vectors @ directions, 3)
    best = np.argsort(-space.matrix(np.arange(400)), axis=1)[:, :3]
    assert (found == best).mean() > 0.95


def test_there_may_be_fewer_to_find_than_are_wanted():
    places = nearest(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[:2], 4)
    assert places[0].tolist() == [0, 1, -1, -1]


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(),
        Evidence(same_widening=0.4, same_shift=-1.0, stranger_mean=0.3, stranger_std=0.8, least_concentration=50),
        Evidence(sizes_in_prior=False),
        Evidence(without_clarity(Calibration(same_std=0.111))),
    ],
)
def test_evidence_that_is_looked_up_says_the_same(evidence):
    rng = np.random.default_rng(0)
    value, clarity = rng.uniform(-4, 12, 500), rng.uniform(3, 15, 500)
    pairs, larger = rng.uniform(1, 400, 500), rng.integers(1, 50, 500)
    found = TabulatedEvidence(evidence, 3.0, 15.0).log_odds(value, clarity, pairs, larger)
    assert found == pytest.approx(evidence.log_odds(value, clarity, pairs, larger), rel=0.01, abs=0.1)
