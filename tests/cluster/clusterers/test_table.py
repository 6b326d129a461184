"""Clusterers by name: the product's methods and the field's fit one seam, and a wrong name is told the right ones."""

import numpy as np
import pytest

from vcn_ray.cluster.clusterer import CropOutputs, TitleFaces
from vcn_ray.cluster.clusterers.baseline import BaselineClusterer
from vcn_ray.cluster.clusterers.table import CLUSTERERS, find_clusterer
from vcn_ray.cluster.links import pair_matrix
from vcn_ray.config import ClusterOptions
from vcn_ray.errors import OptionError
from vcn_ray.evaluate.baselines import find_baseline
from vcn_ray.evaluate.baselines.problem import TrackFaces

_BASELINES = {name: found for name, found in CLUSTERERS.items() if isinstance(found, BaselineClusterer)}


def _faces(people=4, tracks_each=3, crops=3, filtered=(5,), together=((0, 1),)):
    """Tracks of some people in turn, one of low quality, two seen together."""
    rng = np.random.default_rng(0)
    n = people * tracks_each
    track = np.repeat(np.arange(n), crops)
    centres = rng.normal(size=(people, 32))
    base = 10 * (centres[track % people] + 0.3 * rng.normal(size=(len(track), 32)))
    outputs = CropOutputs(track, base, base, base[:, None], base[:, None][:, :0], base, base)
    kept = ~np.isin(np.arange(n), filtered)
    return TitleFaces(outputs, kept, np.array(together), None, ClusterOptions(), adapted=False, seed=3)


def test_an_unknown_name_is_answered_with_all_that_there_are():
    with pytest.raises(OptionError, match=r"'merging'.*evidence, literal, literal means, hac, .*'glue'"):
        find_clusterer("glue")


def test_each_baseline_works_with_one_of_its_own_settings():
    assert len(_BASELINES) >= 10
    for clusterer in _BASELINES.values():
        assert clusterer.setting in find_baseline(clusterer.name).settings


@pytest.mark.parametrize("name", ["hac", "finch", "dbscan", "chinese whispers"])
def test_a_baseline_clusters_the_kept_tracks_as_in_a_comparison(name):
    title, clusterer = _faces(), _BASELINES[name]
    found = find_clusterer(name).cluster(title)
    assert found.labels[5] == -1
    kept = np.flatnonzero(title.kept)
    rows = np.isin(title.outputs.track_of_crop, kept)
    faces = TrackFaces(
        title.outputs.base[rows].astype(np.float32),
        np.searchsorted(kept, title.outputs.track_of_crop[rows]),
        pair_matrix(title.cannot_link, len(title.kept))[np.ix_(kept, kept)],
    )
    expected = find_baseline(clusterer.name).prepare(faces, title.seed)(**clusterer.setting)
    assert found.labels[kept].tolist() == expected.tolist()
    assert len(set(expected.tolist())) > 1
    assert np.isnan(found.confidence).all()
