"""The default without an ingredient: each works, and each decides otherwise than the default somewhere."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.benchmarks.quality.ablations import ABLATIONS, parts_without, surest_iteration, tracks_by_themselves
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.trial import Trial, measure
from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterer import CropOutputs, TitleFaces
from vcn_ray.cluster.clusterers.evidence_linkage import EvidenceClusterer
from vcn_ray.cluster.similarity import mean_directions
from vcn_ray.cluster.title import Clustering
from vcn_ray.config import ClusterOptions
from vcn_ray.pipeline.adaptation_loop import LoopParts, last_iteration, training_groups

CLUSTERERS = {name: parts.clusterer for name, parts in ABLATIONS.items() if parts.clusterer is not None}


def lead_and_extras() -> TitleFaces:
    """A lead of 20 tracks, two of them seen together, and eight extras of a track each, one of them a blur."""
    rng = np.random.default_rng(0)
    who = np.r_[np.zeros(20, int), np.arange(1, 9)]
    n, crops, dim = len(who), 2, 64
    track = np.repeat(np.arange(n), crops)
    centres = rng.normal(size=(9, dim)) + 0.33

    def view(spread: float) -> np.ndarray:
        of_track = centres[who] + spread * rng.normal(size=(n, dim))
        crop = of_track[track] + 0.1 * rng.normal(size=(len(track), dim))
        return crop / np.linalg.norm(crop, axis=1, keepdims=True)

    clarity = np.r_[rng.uniform(7, 13, n - 1), 4.0]
    base, adapted = view(0.9) * clarity[track, None], view(0.5)
    cannot_link = np.array([[0, 1]])
    outputs = CropOutputs(track, base, adapted, base[:, None], base[:, None][:, :0], base, base)
    before = mean_directions(view(0.7), track, n)
    kept = np.ones(n, bool)
    return TitleFaces(outputs, kept, cannot_link, Calibration(), ClusterOptions(), adapted=True, earlier=(before,))


@pytest.mark.parametrize("name", CLUSTERERS)
def test_the_ingredient_has_a_say_in_the_clusters_or_their_confidence(name: str) -> None:
    title = lead_and_extras()
    without, default = CLUSTERERS[name].cluster(title), EvidenceClusterer().cluster(title)
    same = np.array_equal(without.labels, default.labels)
    assert not (same and np.array_equal(without.confidence, default.confidence, equal_nan=True))


def test_the_last_iteration_counts_and_tracks_train_by_themselves_where_that_is_asked() -> None:
    two = np.zeros(2, int)
    sure = Clustering(two, np.array([0.9, 0.9]), [None, None], two / 1, np.array([True, False]), np.array([0, -1]), 0)
    history = [sure, replace(sure, confidence=np.array([0.8, 0.8]))]
    assert (surest_iteration(history), last_iteration(history)) == (0, 1)
    assert parts_without("choosing the surest iteration").deliver(history) == 0
    groups = replace(sure, kept=np.ones(2, bool), group=two)
    assert training_groups(groups, 2).tolist() == [0, 0]
    assert tracks_by_themselves(groups, 2).tolist() == [0, 1]
    assert parts_without("without pairs across tracks").training_groups(groups, 2).tolist() == [0, 1]
    assert parts_without("default") == LoopParts()


@pytest.mark.parametrize("name", ABLATIONS)
def test_each_runs_through(name: str, title: Extracted, known: KnownMethods) -> None:
    method = Method(name, "product", (("max_iterations", "2"), ("first_epochs", "2"), ("later_epochs", "2")))
    outcome = measure(Trial(method, Case(title, "whole", "whole", False), 0), known)
    assert not outcome.error
