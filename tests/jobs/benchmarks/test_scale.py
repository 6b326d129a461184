"""The benchmark of clustering: invented tracks are as alike as real ones, and a figure is measured."""

import numpy as np
import pytest

from jobs.benchmarks.invented_tracks import invent_tracks
from jobs.benchmarks.scale import measure
from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterer import TitleFaces
from vcn_ray.cluster.evidence import one_person, pair_clarity, strangers
from vcn_ray.cluster.large.many_tracks import cluster_many
from vcn_ray.cluster.similarity import directions_and_clarity


def test_invented_tracks_are_as_alike_as_the_calibration_says_at_their_clarity():
    title = invent_tracks(600)
    direction, clarity = directions_and_clarity(title.outputs.base, title.outputs.track_of_crop, 600)
    cosine, of_pairs = direction @ direction.T, pair_clarity(clarity[:, None], clarity[None])
    same = title.person[:, None] == title.person[None]
    clear = np.triu((of_pairs > 9) & (of_pairs < 12), 1)
    for pairs, curve in ((clear & same, one_person), (clear & ~same, strangers)):
        mean, std = curve(of_pairs[pairs], Calibration())
        assert abs((cosine[pairs] - mean).mean()) < 0.06
        assert 0.6 < cosine[pairs].std() / std.mean() < 1.3


def test_invented_tracks_have_a_lead_extras_meetings_and_a_seed():
    title, again, other = invent_tracks(300), invent_tracks(300), invent_tracks(300, seed=1)
    sizes = np.bincount(title.person)
    assert sizes.max() > 30
    assert np.median(sizes[sizes > 0]) < 10
    a, b = title.cannot_link.T
    assert (title.person[a] != title.person[b]).all()
    assert len(title.cannot_link) > 50
    assert np.array_equal(title.outputs.base, again.outputs.base)
    assert not np.array_equal(title.person, other.person)


def test_a_title_is_measured():
    found = measure(60, iterations=1, memory_mb=1700, threads=1, seed=0)
    assert found["peak_mib"] >= found["before_mib"] > 0
    assert len(found["labels"]) == 60
    assert found["bcubed_f"] > 0.7


@pytest.mark.parametrize(("way", "by_lists"), [("matrices", False), ("lists", True), ("default", False)])
def test_either_way_has_the_memory_that_was_given(monkeypatch, way, by_lists):
    given = []

    def many(title, *args, **kwargs):
        given.append(title.options.memory_mb)
        return cluster_many(title, *args, **kwargs)

    monkeypatch.setattr("vcn_ray.cluster.clusterers.evidence_linkage.cluster_many", many)
    assert len(measure(60, 0, 1200, 1, 0, way)["labels"]) == 60
    assert given == [1200] * by_lists
    assert isinstance(vars(TitleFaces)["pairs_fit"], property)
