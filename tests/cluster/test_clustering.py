"""The cut by evidence answers "one", "all different" and what lies between; constraints and order hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import log_softmax, softmax

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterers.literal import merge_literally
from vcn_ray.cluster.evidence import Evidence, fit_evidence, standardise
from vcn_ray.cluster.linkage import find_characters, link_by_evidence, relabel
from vcn_ray.cluster.matching import TrackGaussians, matched_groups
from vcn_ray.cluster.similarity import losses, own_pair_losses, track_means


class _Threshold:
    """Evidence that speaks for one character from a similarity on: plain average linkage."""

    def __init__(self, threshold: float):
        self.threshold = threshold

    def log_odds(self, value, clarity, pairs, larger):
        return value - self.threshold


def _title(identities: np.ndarray, same: float, stranger: float, noise: float, seed: int = 0) -> np.ndarray:
    """Cosines between tracks: identity's level plus noise that is symmetric."""
    n = len(identities)
    rng = np.random.default_rng(seed)
    level = np.where(identities[:, None] == identities[None], same, stranger)
    jitter = np.triu(rng.normal(scale=noise, size=(n, n)), 1)
    return level + jitter + jitter.T


_CLEAR = Calibration().typical_clarity


def _fit(cosines: np.ndarray, n_tracks: int) -> Evidence:
    return fit_evidence(standardise(cosines, _CLEAR, Calibration()), _CLEAR, n_tracks, Calibration())


def _link(similarity: np.ndarray, cannot_link: np.ndarray, evidence) -> np.ndarray:
    return link_by_evidence(similarity, np.full(len(similarity), _CLEAR), cannot_link, evidence)


def _cluster(cosines: np.ndarray, cannot_link: np.ndarray | None = None) -> np.ndarray:
    n = len(cosines)
    cannot_link = np.zeros((n, n), bool) if cannot_link is None else cannot_link
    evidence = _fit(cosines[np.triu(~cannot_link, 1)], n)
    values = standardise(cosines, _CLEAR, Calibration())
    return find_characters(values, np.full(n, _CLEAR), cannot_link, evidence)[0]


@pytest.mark.parametrize(
    ("identities", "same"),
    [
        (np.zeros(12, int), 0.52),  # one character only
        (np.arange(30), 0.52),  # all different
        (np.repeat(np.arange(6), 10), 0.52),  # an ordinary title
        (np.repeat(np.arange(6), 10), 0.38),  # footage so poor that one person's tracks are less alike
    ],
)
def test_number_of_characters_is_found_without_a_threshold(identities, same):
    labels = _cluster(_title(identities, same, 0.10, 0.08))
    assert len(set(labels)) == len(set(identities))
    assert (relabel(identities) == labels).all()


@pytest.mark.parametrize(("shift", "spread"), [(0.05, 0.11), (0.10, 0.12)])
def test_strangers_who_are_more_alike_than_usual_do_not_become_one_character(shift, spread):
    identities = np.arange(300) % 15
    rng = np.random.default_rng(0)
    level = np.where(identities[:, None] == identities[None], 0.52, 0.10 + shift)
    noise = np.triu(rng.normal(scale=spread, size=(300, 300)), 1)
    labels = _cluster(level + noise + noise.T)
    assert 14 <= len(set(labels)) <= 20


@pytest.mark.parametrize("seed", range(4))
def test_a_lead_who_dominates_the_title_leaves_nearly_all_extras_apart(seed):
    # The share of pairs that are one character is the lead's doing, so extras are believed a little too easily.
    identities = np.r_[np.zeros(40, int), np.arange(1, 15)]
    labels = _cluster(_title(identities, 0.52, 0.10, 0.08, seed))
    assert (labels == 0).sum() == 40
    assert len(set(labels)) >= 13


def test_rare_matches_need_more_similarity_than_frequent_ones():
    many = _title(np.repeat(np.arange(5), 8), 0.52, 0.10, 0.08)
    none = _title(np.arange(40), 0.52, 0.10, 0.08)
    upper = np.triu_indices(40, 1)
    frequent, rare = (_fit(s[upper], 40) for s in (many, none))
    value = standardise(np.array([0.36]), _CLEAR, Calibration())
    assert frequent.log_odds(value, _CLEAR, 1, 1) > 0
    assert rare.log_odds(value, _CLEAR, 1, 1) < 0


def test_evidence_never_falls_as_similarity_grows():
    evidence = _fit(np.random.default_rng(0).uniform(-0.3, 0.9, 500), 40)
    for clarity in (4.0, 6.0, 8.0, 10.0, 15.0):
        assert (np.diff(evidence.log_likelihood_ratio(np.linspace(-10, 10, 500), clarity)) >= 0).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 14), st.integers(0, 10**6), st.floats(0.0, 0.6))
def test_cannot_link_pairs_never_share_a_cluster(n, seed, threshold):
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(-1, 1, size=(n, n))
    similarity = (similarity + similarity.T) / 2
    forbidden = rng.random((n, n)) < 0.3
    forbidden |= forbidden.T
    np.fill_diagonal(forbidden, False)
    labels = _link(similarity, forbidden, _Threshold(threshold))
    assert not (forbidden & (labels[:, None] == labels[None])).any()


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 14), st.integers(0, 10**6))
def test_order_of_tracks_does_not_change_the_clusters(n, seed):
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(-0.2, 0.9, size=(n, n))
    similarity = (similarity + similarity.T) / 2
    forbidden = np.zeros((n, n), bool)
    order = rng.permutation(n)
    labels = _cluster(similarity, forbidden)
    shuffled = _cluster(similarity[np.ix_(order, order)], forbidden)
    assert ((labels[order][:, None] == labels[order][None]) == (shuffled[:, None] == shuffled[None])).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 12), st.integers(0, 10**6), st.floats(0.0, 0.8))
def test_threshold_cut_equals_scipys_average_linkage(n, seed, threshold):
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    rng = np.random.default_rng(seed)
    similarity = rng.uniform(-0.2, 0.9, size=(n, n))
    similarity = (similarity + similarity.T) / 2
    np.fill_diagonal(similarity, 1)
    labels = _link(similarity, np.zeros((n, n), bool), _Threshold(threshold))
    theirs = fcluster(linkage(squareform(1 - similarity, checks=False), "average"), 1 - threshold, "distance")
    assert (labels == relabel(theirs)).all()


def _outputs(identities, seed=0, crops=4, k=16, scale=6.0, noise=0.3):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(identities.max() + 1, k)) * scale
    track = np.repeat(np.arange(len(identities)), crops)
    x = centres[identities[track]] + rng.normal(size=(len(track), k)) * noise
    log_q = x - np.log(np.exp(x).sum(1, keepdims=True))
    return log_q, log_q, track


@pytest.mark.parametrize("distance", ["pairs", "means"])
def test_literal_merging_joins_tracks_whose_outputs_cannot_be_told_apart(distance):
    identities = np.array([0, 0, 1, 1, 2, 2, 2])
    log_p, log_q, track = _outputs(identities, noise=0.5)
    labels = merge_literally(log_p, log_q, track, 7, distance)
    assert all(len(set(identities[labels == c])) == 1 for c in set(labels))
    assert len(set(labels)) < 7


def test_literal_merging_is_transitive():
    # A crop of a looks like one of b, another of b like one of c; a and c share nothing: one cluster all the same.
    logits = np.diag([6.0, 4.0, 4.0, 6.0])[[0, 1, 1, 2, 2, 3]]
    track = np.repeat(np.arange(3), 2)
    log_q = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    p = np.exp(log_q)
    loss = losses(track_means(p, track, 3), track_means(log_q, track, 3), slice(None))
    own = own_pair_losses(p, log_q, track, 3)
    close = loss < np.maximum(own[:, None], own[None])
    assert close[0, 1]
    assert close[1, 2]
    assert not close[0, 2]
    assert merge_literally(log_q, log_q, track, 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("temperature", [0.01, 0.5])
def test_literal_merging_by_mean_outputs_is_that_of_the_outputs_themselves(temperature):
    # With the sharper one most probabilities are too small for a float: their logarithms are what is left to average.
    e, centre, track = np.random.default_rng(5).normal(size=(24, 6)), np.linspace(-1, 1, 6), np.repeat(np.arange(8), 3)
    log_p, log_q = log_softmax((e - centre) / temperature, axis=1), log_softmax(e, axis=1)
    labels = np.arange(8)
    while True:
        rows = labels[track]
        n = labels.max() + 1
        mean = np.stack([e[rows == k].mean(0) for k in range(n)])
        across = -softmax((mean - centre) / temperature, axis=1) @ log_softmax(mean, axis=1).T
        within = own_pair_losses(np.exp(log_p), log_q, rows, n)
        close = (across + across.T) / 2 < np.maximum(within[:, None], within[None])
        merged = connected_components(coo_array(close), directed=False)[1][labels]
        if merged.max() + 1 == n:
            break
        labels = relabel(merged)
    assert merge_literally(log_p, log_q, track, 8, "means").tolist() == labels.tolist()
    assert 1 <= n < 8


def test_gaussian_matches_find_the_same_person_and_no_other():
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(4), 3)
    centres = rng.normal(size=(4, 32)) * 2
    track = np.repeat(np.arange(12), 30)
    rows = centres[identities[track]] + rng.normal(size=(360, 32)) * 0.5
    matches = TrackGaussians(rows, track, 12).matches(slice(None))
    same = identities[:, None] == identities[None]
    np.fill_diagonal(same, False)
    assert (matches == matches.T).all()
    assert not matches[~same].any()
    assert matches[same].mean() > 0.8


def test_gaussian_density_equals_scipys():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(3)
    track = np.repeat(np.arange(5), 40)
    rows = rng.normal(size=(200, 3)) * rng.uniform(0.5, 2, size=(5, 3))[track] + rng.normal(size=(5, 3))[track]
    matches = TrackGaussians(rows, track, 5).matches(slice(None))
    expected = np.zeros((5, 5), bool)
    for a in range(5):
        own = rows[track == a]
        density = multivariate_normal(own.mean(0), np.diag(own.var(0)))
        threshold = np.sort(density.logpdf(own))[:10].mean()
        for b in range(5):
            expected[b, a] = a != b and density.logpdf(rows[track == b].mean(0)) >= threshold
    assert (matches == (expected | expected.T)).all()
    mutual = TrackGaussians(rows, track, 5).matches(slice(None), mutual=True)
    assert (mutual == (expected & expected.T)).all()


def test_blocks_of_rows_find_the_groups_that_the_whole_matrix_connects(monkeypatch):
    rng = np.random.default_rng(0)
    track = np.repeat(np.arange(12), 30)
    rows = (rng.normal(size=(4, 32)) * 2)[track % 4] + rng.normal(size=(360, 32)) * 0.5
    monkeypatch.setattr("vcn_ray.cluster.similarity._BLOCK_PAIRS", 5 * 12)
    group, pairs = matched_groups(rows, track, 12)
    matches = TrackGaussians(rows, track, 12).matches(slice(None))
    assert pairs == np.triu(matches).sum() > 0
    assert group.tolist() == connected_components(coo_array(matches), directed=False)[1].tolist()


@pytest.mark.parametrize("distance", ["pairs", "means"])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_blocks_of_rows_merge_literally_as_the_whole_matrix_does(monkeypatch, scale, distance):
    logits = scale * np.random.default_rng(2).normal(size=(40, 8))
    log_q = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    track = np.repeat(np.arange(20), 2)
    whole = merge_literally(log_q, log_q, track, 20, distance).tolist()
    monkeypatch.setattr("vcn_ray.cluster.similarity._BLOCK_PAIRS", 3 * 20)
    assert merge_literally(log_q, log_q, track, 20, distance).tolist() == whole
