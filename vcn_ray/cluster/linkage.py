"""Agglomerative clustering of tracks by average similarity, with cannot-links and a cut by evidence."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class MergeEvidence(Protocol):
    """What decides whether two clusters are one, see `evidence.Evidence`."""

    @property
    def prior_log_odds(self) -> float:
        """log odds that a pair drawn at random is one character."""

    def log_likelihood_ratio(self, similarity: np.ndarray) -> np.ndarray:
        """How much a similarity speaks for one character; never falls as the similarity grows."""


def link_by_evidence(similarity: np.ndarray, cannot_link: np.ndarray, evidence: MergeEvidence) -> np.ndarray:
    """Merge the two most similar clusters for which the evidence speaks, until it speaks for none.

    The similarity of two clusters is the average over their pairs of tracks. Averages say more than single pairs, yet
    pairs of the same two clusters are not independent: the log likelihood ratio of an average over m pairs counts
    sqrt(m) times, against the prior log odds once. Clusters that hold a cannot-link pair never merge.

    similarity: (n, n) symmetric; cannot_link: (n, n) bool. Returns (n,) labels 0.. in order of each cluster's first
    track. Ties go to the lower index: the same input gives the same labels.
    """
    n = len(similarity)
    average = similarity.astype(np.float64)
    average[cannot_link] = -np.inf
    np.fill_diagonal(average, -np.inf)
    size = np.ones(n)
    owner = np.arange(n)
    partner = np.zeros(n, np.int64)
    best = np.full(n, -np.inf)  # similarity of each cluster's best partner, -inf where it has none

    def allowed(row: int) -> np.ndarray:
        """The row's similarities where a merge is allowed, else -inf."""
        values = average[row]
        finite = np.isfinite(values)
        odds = np.full(n, -np.inf)
        ratio = evidence.log_likelihood_ratio(values[finite])
        odds[finite] = np.sqrt(size[row] * size[finite]) * ratio + evidence.prior_log_odds
        return np.where(odds > 0, values, -np.inf)

    def refresh(row: int) -> np.ndarray:
        values = allowed(row)
        partner[row] = int(np.argmax(values))
        best[row] = values[partner[row]]
        return values

    for row in range(n):
        refresh(row)
    while n > 1:
        a = int(np.argmax(best))
        if not np.isfinite(best[a]):
            break
        a, b = sorted((a, int(partner[a])))
        forbidden = ~np.isfinite(average[a]) | ~np.isfinite(average[b])
        total = np.where(forbidden, 0, average[a]) * size[a] + np.where(forbidden, 0, average[b]) * size[b]
        merged = np.where(forbidden, -np.inf, total / (size[a] + size[b]))
        average[a], average[:, a] = merged, merged
        average[b], average[:, b] = -np.inf, -np.inf
        size[a] += size[b]
        owner[owner == b] = a
        best[b] = -np.inf
        candidates = refresh(a)
        # A row's best changes only where it pointed at a or b, or where the merged cluster now suits it better.
        others = np.arange(n) != a
        for row in map(int, np.flatnonzero(others & np.isfinite(best) & ((partner == a) | (partner == b)))):
            refresh(row)
        better = others & ((candidates > best) | ((candidates == best) & np.isfinite(candidates) & (a < partner)))
        better[b] = False
        partner[better], best[better] = a, candidates[better]
    return relabel(owner)


def relabel(labels: np.ndarray) -> np.ndarray:
    """Labels (n,) renumbered 0.. in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), int)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
