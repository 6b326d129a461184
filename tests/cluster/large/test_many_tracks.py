"""Titles of more tracks than matrices fit for: what matrices find is found, and what was said holds."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.benchmarks.invented_tracks import invent_tracks
from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterer import BYTES_PER_PAIR, TitleFaces, fitting_tracks
from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.cluster.large.many_tracks import neighbours_in
from vcn_ray.cluster.links import Links
from vcn_ray.cluster.title import cluster_title
from vcn_ray.config import ClusterOptions
from vcn_ray.evaluate.metrics import bcubed_scores, contingency

_NONE = np.empty((0, 2), np.int64)


@pytest.fixture
def never_fits(monkeypatch):
    """No title's pairs fit into the memory."""
    return lambda fits=False: monkeypatch.setattr(TitleFaces, "pairs_fit", fits)


def _cluster(title, links=None, threads=1, calibration=Calibration(), **options):  # noqa: B008
    n = len(title.person)
    return cluster_title(
        title.outputs,
        n,
        title.cannot_link,
        ClusterOptions(**options),
        calibration,
        find_clusterer("evidence"),
        adapted=True,
        links=links,
        earlier=title.earlier,
        threads=threads,
    )


def _alone(labels):
    return np.where(labels >= 0, labels, labels.max() + 1 + np.arange(len(labels))).tolist()


def test_lists_of_neighbours_find_what_matrices_find(never_fits):
    title = invent_tracks(300, seed=1)
    never_fits(True)
    whole = _cluster(title)
    never_fits()
    found = _cluster(title)
    assert bcubed_scores(contingency(_alone(found.labels), _alone(whole.labels)))[2] > 0.98
    both = (found.labels >= 0) & (whole.labels >= 0)
    assert np.abs(found.confidence - whole.confidence)[both].mean() < 0.01
    assert found.characters.one_person[both].mean() == pytest.approx(whole.characters.one_person[both].mean(), abs=0.05)
    assert found.reason.count(None) == (found.labels >= 0).sum()
    a, b = title.cannot_link.T
    assert not ((found.labels[a] == found.labels[b]) & (found.labels[a] >= 0)).any()


def test_few_neighbours_a_track_take_more_rounds_to_the_same_characters(never_fits, monkeypatch):
    title = invent_tracks(300, seed=2)
    never_fits()
    many = _cluster(title)
    monkeypatch.setattr("vcn_ray.cluster.large.many_tracks._NEIGHBOURS", 8)
    few = _cluster(title)
    assert bcubed_scores(contingency(_alone(few.labels), _alone(many.labels)))[2] > 0.98


def test_labels_and_confidence_do_not_depend_on_threads(never_fits, monkeypatch):
    monkeypatch.setattr("vcn_ray.cluster.large.neighbours._BLOCK_QUERIES", 16)
    title = invent_tracks(200, seed=3)
    never_fits()
    one, three = _cluster(title), _cluster(title, threads=3)
    assert one.labels.tolist() == three.labels.tolist()
    assert np.array_equal(one.confidence, three.confidence, equal_nan=True)


@pytest.mark.parametrize("seed", range(6))
def test_what_people_said_holds(never_fits, seed):
    rng = np.random.default_rng(seed)
    title = invent_tracks(60, iterations=1, seed=seed)
    together = rng.integers(-12, 6, 60)
    links = Links(together, _NONE, rng.random(60) < 0.1)
    pairs = rng.integers(0, 60, (12, 2))
    links = replace(links, apart=pairs[links.group[pairs[:, 0]] != links.group[pairs[:, 1]]])
    seen = title.cannot_link[links.group[title.cannot_link[:, 0]] != links.group[title.cannot_link[:, 1]]]
    never_fits()
    found = _cluster(replace(title, cannot_link=seen), links)
    labels, known = found.labels, found.labels >= 0
    assert set(labels[known]) == set(range(labels.max() + 1))
    assert not known[links.left_out].any()
    assert known[links.said].all()
    assert all(len(set(labels[links.group == group])) == 1 for group in links.group[links.said])
    two = links.over_groups(seen)
    assert not (two & known & (labels[:, None] == labels[None])).any()
    assert (np.isnan(found.confidence) == ~known).all()
    assert all(len(set(found.confidence[links.group == group])) == 1 for group in links.group[links.said])


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("calibration", [None, Calibration()])
def test_the_smallest_titles_have_an_answer(never_fits, n, calibration):
    never_fits()
    title = invent_tracks(40, iterations=1)
    rows = title.outputs.track_of_crop < n
    outputs = type(title.outputs)(**{name: values[rows] for name, values in vars(title.outputs).items()})
    some = replace(title, outputs=outputs, person=title.person[:n], cannot_link=_NONE)
    assert (_cluster(some, calibration=calibration).labels >= 0).all()
    left_out = Links(np.full(n, -1), _NONE, np.ones(n, bool))
    assert _cluster(some, left_out, calibration=calibration).labels.tolist() == [-1] * n


def test_lists_are_as_long_as_memory_lets_them_be():
    assert neighbours_in(1700, 20_000) == 64
    assert neighbours_in(64, 100_000) == 10
    assert neighbours_in(64, 10**6) == 8


def test_pairs_fit_up_to_the_memory_and_no_further():
    assert 4000 < fitting_tracks(1700) < 4010
    for memory_mb in (64, 1700, 10**7):
        most = fitting_tracks(memory_mb)
        assert most**2 * BYTES_PER_PAIR <= memory_mb * 10**6 < (most + 1) ** 2 * BYTES_PER_PAIR
