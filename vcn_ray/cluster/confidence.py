"""How probable it is that a track belongs to the character it was given: what a person should look at first."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from vcn_ray.cluster.evidence import Evidence

#: Tracks weighed at once: bounds the memory of titles with many characters.
_BLOCK_TRACKS = 512


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
    probability = np.full(n, np.nan)
    for start in range(0, len(known), _BLOCK_TRACKS):
        rows = known[start : start + _BLOCK_TRACKS]
        own = np.arange(len(rows)), labels[rows]
        # Sums over each cluster, without the track itself.
        without = np.zeros((len(rows), count))
        without[own] = 1
        tracks = member.sum(0) - without
        weights = (member * clarity[:, None]).sum(0) - without * clarity[rows, None]
        squares = (member * clarity[:, None] ** 2).sum(0) - without * clarity[rows, None] ** 2
        others = similarity[rows].astype(np.float64)
        others[np.arange(len(rows)), rows] = 0
        totals = others @ (member * clarity[:, None])
        possible = (tracks > 0.5) & ~(cannot_link[rows].astype(np.float64) @ member > 0)
        row, cluster = np.nonzero(possible)
        total = weights[row, cluster]
        odds = np.full((len(rows), count + 1), -np.inf)
        odds[row, cluster] = evidence.log_odds(
            totals[row, cluster] / total,
            np.sqrt(clarity[rows[row]] * squares[row, cluster] / total),
            total**2 / squares[row, cluster],
            tracks[row, cluster],
        )
        odds[:, -1] = 0.0  # a character of its own
        chosen = np.where(tracks[own] < 0.5, count, labels[rows])
        probability[rows] = softmax(odds, axis=1)[np.arange(len(rows)), chosen]
    return probability
