"""Clustering of a title from what the networks say of its crops: filter, evidence of both networks, attaching."""

import numpy as np
import pytest

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterer import CropOutputs
from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.cluster.evidence import fit_evidence, guess_calibration, standardise
from vcn_ray.cluster.fusing import fuse
from vcn_ray.cluster.links import Links
from vcn_ray.cluster.title import cluster_title
from vcn_ray.config import make_options

_D, _CROPS = 64, 3


def _outputs(identities, noise, seed=0, adapted_noise=None, shaky=()):
    """Crops around a direction per identity; `noise` is its spread per track, `shaky` tracks scatter under dropout."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(identities) + 1, _D)) + 0.33  # strangers' cosine about 0.1
    track = np.repeat(np.arange(len(identities)), _CROPS)
    noise = np.broadcast_to(noise, len(identities))

    def view(spread):
        of_track = rng.normal(size=(len(identities), _D)) * spread[:, None]
        return (centres[identities] + of_track)[track] + rng.normal(size=(len(track), _D)) * 0.1

    base = view(noise)
    base *= Calibration().typical_clarity / np.linalg.norm(base, axis=1, keepdims=True)
    adapted = base if adapted_noise is None else view(np.full(len(identities), adapted_noise))
    shake = np.where(np.isin(track, shaky), 2.0, 0.05)
    stochastic = base[:, None] + rng.normal(size=(len(track), 4, _D)) * shake[:, None, None]
    logits = base - base.max(1, keepdims=True)
    log_q = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return CropOutputs(track, base, adapted, stochastic, base[:, None], log_q, log_q)


def _cluster(outputs, n, cannot_link=None, adapted=False, calibration=Calibration(), links=None, **settings):  # noqa: B008
    cannot_link = np.empty((0, 2), np.int64) if cannot_link is None else np.array(cannot_link)
    options = make_options(settings).cluster
    clusterer = find_clusterer(options.merging)
    return cluster_title(outputs, n, cannot_link, options, calibration, clusterer, adapted=adapted, links=links)


def _same(labels, identities):
    return ((labels[:, None] == labels[None]) == (identities[:, None] == identities[None])).all()


def test_people_are_found_by_the_base_model_alone():
    identities = np.arange(24) % 6
    result = _cluster(_outputs(identities, 0.8), 24)
    assert _same(result.labels, identities)
    pairs = np.triu((result.group[:, None] == result.group[None]) & result.kept & result.kept[:, None], 1)
    assert result.matched_pairs == pairs.sum()


def test_an_adapted_network_helps_where_the_base_model_is_weak():
    identities = np.arange(48) % 8
    outputs = _outputs(identities, 1.6, adapted_noise=0.7)
    alone, together = _cluster(outputs, 48), _cluster(outputs, 48, adapted=True)
    truth = identities[:, None] == identities[None]
    wrong = [((r.labels[:, None] == r.labels[None]) != truth).sum() for r in (alone, together)]
    assert wrong[1] < 0.5 * wrong[0]


def test_an_adapted_network_that_collapsed_changes_nothing():
    identities = np.arange(24) % 6
    outputs = _outputs(identities, 0.8)
    collapsed = CropOutputs(**{**vars(outputs), "adapted": np.ones_like(outputs.base)})
    assert (_cluster(collapsed, 24, adapted=True).labels == _cluster(outputs, 24).labels).all()


def test_what_was_said_of_most_tracks_helps_with_the_rest():
    """Without a say in the share, known pairs would leave what looks like a title of strangers."""
    identities = np.arange(60) % 8
    truth = identities[:, None] == identities[None]
    wrong = np.zeros(2, int)
    for seed in range(3):
        outputs = _outputs(identities, 1.5, seed)
        rest = np.random.default_rng(seed).random(60) < 0.2
        said = Links(np.where(rest, -1, identities), np.empty((0, 2), np.int64), np.zeros(60, bool))
        for k, links in enumerate((None, said)):
            labels = _cluster(outputs, 60, links=links).labels
            wrong[k] += ((labels[:, None] == labels[None]) != truth)[rest].sum()
    assert wrong[1] < 0.8 * wrong[0]


def test_low_quality_tracks_join_their_character_and_make_none_of_their_own():
    identities = np.arange(30) % 5
    result = _cluster(_outputs(identities, 0.8, shaky=[7]), 30)
    assert not result.kept[7]
    assert result.group[7] == -1
    assert result.labels[7] == result.labels[2]
    stranger = _outputs(np.r_[np.arange(30) % 5, 5], 0.8, shaky=[30])
    assert _cluster(stranger, 31).labels[30] == -1
    assert _cluster(_outputs(identities, 0.8, shaky=[7]), 30, low_quality="unknown").labels[7] == -1


def test_two_low_quality_tracks_seen_together_are_not_one_character():
    identities = np.arange(30) % 5
    labels = _cluster(_outputs(identities, 0.8, shaky=[7, 12]), 30, [(7, 12)]).labels
    assert labels[7] != labels[12] or labels[7] == -1


@pytest.mark.parametrize("settings", [{}, {"method": "paper"}])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest_titles_have_an_answer(n, settings):
    result = _cluster(_outputs(np.arange(n), 0.5), n, adapted=True, **settings)
    assert (result.labels >= 0).all()


@pytest.mark.parametrize("adapted", [False, True])
def test_tracks_that_are_all_seen_together_stay_apart(adapted):
    cannot_link = np.argwhere(~np.eye(4, dtype=bool))
    labels = _cluster(_outputs(np.zeros(4, int), 0.2), 4, cannot_link, adapted).labels
    assert sorted(labels) == [0, 1, 2, 3]


def test_an_unknown_network_is_calibrated_by_the_title():
    identities = np.arange(60) % 10
    outputs = _outputs(identities, 0.5)
    assert _same(_cluster(outputs, 60, calibration=None).labels, identities)


def test_identical_tracks_do_not_break_the_guess():
    guess = guess_calibration(np.ones(30))
    assert guess.stranger_std > 0
    assert np.isfinite(fit_evidence(standardise(np.ones(30), 10.0, guess), 10.0, 8, guess).same_shift)


def test_fusing_needs_strangers():
    clarity = np.full((6, 6), Calibration().typical_clarity)
    base = standardise(np.full((6, 6), 0.55), clarity, Calibration())
    linkable = np.triu(np.ones((6, 6), bool), 1)
    evidence = fit_evidence(base[linkable], clarity[linkable], 6, Calibration())
    assert fuse(base, clarity, evidence, base, linkable) is None
