"""How probable it is that a track belongs to the character it was given: what a person should look at first."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from vcn_ray.cluster.evidence import Evidence

#: Tracks weighed at once: bounds the memory of titles with many characters.
_BLOCK_TRACKS = 512


def assignment_probability(
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Probability of each track's label, all else staying as it is.

    The track is taken out of its cluster and weighed against every cluster that it may join, its old one among them,
    and against being a character of its own, by the evidence that also decides merges. A track that is alone in its
    cluster has the probability of being nobody else. Tracks of one group, which a person said to be one, are taken out
    and weighed together: each has the group's probability.

    similarity: (n, n) in the evidence's units; clarity: (n,), above 0; labels: (n,) int64, -1 for Unknown;
    cannot_link: (n, n) bool; group: (n,) int64, tracks of one number have one label, None: no two are of one. Returns
    (n,), NaN for Unknown tracks.
    """
    probability = np.full(len(labels), np.nan)
    known = np.flatnonzero(labels >= 0)
    for start in range(0, len(known), _BLOCK_TRACKS):
        rows = known[start : start + _BLOCK_TRACKS]
        odds = log_odds_of_clusters(rows, similarity, clarity, labels, cannot_link, evidence)
        own = np.arange(len(rows)), labels[rows]
        alone = np.bincount(labels[known])[labels[rows]] == 1
        with_none = np.concatenate([odds, np.zeros((len(rows), 1))], axis=1)  # the last: a character of its own
        probability[rows] = softmax(with_none, axis=1)[own[0], np.where(alone, odds.shape[1], own[1])]
    if group is not None:
        for number in np.flatnonzero(np.bincount(group[known]) > 1):
            rows = known[group[known] == number]
            label = labels[rows[0]]
            alone = (labels == label).sum() == len(rows)
            of_group = np.append(_log_odds_of_group(rows, similarity, clarity, labels, cannot_link, evidence), 0.0)
            probability[rows] = softmax(of_group)[-1 if alone else label]
    return probability


def log_odds_of_clusters(
    rows: np.ndarray,
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
) -> np.ndarray:
    """log odds that some tracks belong to each cluster, each weighed as if it were in none.

    rows: (r,) which tracks; the rest as for `assignment_probability`. Returns (r, clusters), -inf where a track may not
    join, or would join nobody.
    """
    count = int(labels.max(initial=-1)) + 1
    known = np.flatnonzero(labels >= 0)
    member = np.zeros((len(labels), count))
    member[known, labels[known]] = 1
    weight = member * clarity[:, None]
    # Sums over each cluster, without the track itself.
    tracks = member.sum(0) - member[rows]
    weights = weight.sum(0) - weight[rows]
    squares = (weight**2).sum(0) - weight[rows] ** 2
    others = similarity[rows].astype(np.float64)
    others[np.arange(len(rows)), rows] = 0
    totals = others @ weight
    possible = (tracks > 0.5) & ~(cannot_link[rows].astype(np.float64) @ member > 0)
    row, cluster = np.nonzero(possible)
    total = weights[row, cluster]
    odds = np.full((len(rows), count), -np.inf)
    odds[row, cluster] = evidence.log_odds(
        totals[row, cluster] / total,
        np.sqrt(clarity[rows[row]] * squares[row, cluster] / total),
        total**2 / squares[row, cluster],
        tracks[row, cluster],
    )
    return odds


def _log_odds_of_group(
    rows: np.ndarray,
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
) -> np.ndarray:
    """log odds (clusters,) that tracks (r,) together belong to each cluster; the rest as `log_odds_of_clusters`."""
    count = int(labels.max()) + 1
    others = np.setdiff1d(np.flatnonzero(labels >= 0), rows)
    weight = clarity[rows].astype(np.float64)
    square = np.ix_(rows, others)
    of_track = [
        np.ones(len(others)),
        clarity[others],
        clarity[others] ** 2,
        clarity[others] * (weight @ similarity[square]),
        cannot_link[square].any(axis=0),
    ]
    tracks, weights, squares, totals, apart = (np.bincount(labels[others], x, count) for x in of_track)
    may = (tracks > 0) & (apart == 0)
    odds = np.full(count, -np.inf)
    odds[may] = evidence.log_odds(
        totals[may] / (weights[may] * weight.sum()),
        np.sqrt(weight @ weight / weight.sum() * squares[may] / weights[may]),
        weight.sum() ** 2 / (weight @ weight) * weights[may] ** 2 / squares[may],
        np.maximum(tracks[may], len(rows)),
    )
    return odds
