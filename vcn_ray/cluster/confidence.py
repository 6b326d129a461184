"""How probable it is that a track belongs to the character it was given: what a person should look at first."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from vcn_ray.cluster.evidence import Evidence


def assignment_probability(
    similarity: np.ndarray, clarity: np.ndarray, labels: np.ndarray, cannot_link: np.ndarray, evidence: Evidence
) -> np.ndarray:
    """Probability of each track's label, all else staying as it is.

    The track is taken out of its cluster and weighed against every cluster that it may join, its old one among them,
    and against being a character of its own, by the evidence that also decides merges. A track that is alone in its
    cluster has the probability of being nobody else.

    similarity: (n, n) in the evidence's units; clarity: (n,), above 0; labels: (n,) int64, -1 for Unknown;
    cannot_link: (n, n) bool. Returns (n,), NaN for Unknown tracks.
    """
    n, count = len(labels), int(labels.max(initial=-1)) + 1
    known = np.flatnonzero(labels >= 0)
    member = np.zeros((n, count))
    member[known, labels[known]] = 1
    weight = member * clarity[:, None]
    # Sums over each cluster without the track itself.
    tracks, weights = member.sum(0) - member, weight.sum(0) - weight
    squares = (weight**2).sum(0) - weight**2
    others = similarity.astype(np.float64)
    np.fill_diagonal(others, 0)
    possible = (tracks > 0.5) & ~(cannot_link.astype(np.float64) @ member > 0)
    row, cluster = np.nonzero(possible)
    total = weights[row, cluster]
    odds = np.full((n, count + 1), -np.inf)
    odds[row, cluster] = evidence.log_odds(
        (others @ weight)[row, cluster] / total,
        np.sqrt(clarity[row] * squares[row, cluster] / total),
        total**2 / squares[row, cluster],
        tracks[row, cluster],
    )
    odds[:, -1] = 0.0  # a character of its own
    alone = tracks[known, labels[known]] < 0.5
    chosen = np.where(alone, count, labels[known])
    probability = np.full(n, np.nan)
    probability[known] = softmax(odds[known], axis=1)[np.arange(len(known)), chosen]
    return probability
