"""The invented season is the same each time, and as wrong as a season that was found is."""

from pathlib import Path

import numpy as np

from jobs.benchmarks.synthetic_season import SyntheticSeason
from vcn_ray.evaluate.metrics import cluster_scores
from vcn_ray.storage.store import Store


def test_it_is_the_same_each_time_and_not_all_right(tmp_path: Path) -> None:
    one, other = (SyntheticSeason(Store(tmp_path), 30, 600, 3) for _ in range(2))
    assert np.array_equal(one.embedding, other.embedding)
    assert np.array_equal(one.found.cluster, other.found.cluster)
    found = one.found.cluster >= 0
    scores = cluster_scores(one.found.cluster[found].tolist(), one.truth[found].tolist())
    assert 0.7 < scores.bcubed_f < 0.98
    assert 0 < (~found).mean() < 0.1
    assert (one.truth[one.found.together[:, 0]] != one.truth[one.found.together[:, 1]]).all()
    for row in (0, 250, 599):  # a correction of it finds its track again
        assert one.places.rows(one.places.anchor(row)) == [row]
        assert one.pictures.crop(row, 0) == other.pictures.crop(row, 0) is not None
