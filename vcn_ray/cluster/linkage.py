"""Agglomerative clustering of tracks by average similarity, with cannot-links and a cut by evidence."""

from __future__ import annotations

import numpy as np

from vcn_ray.cluster.evidence import Evidence


def link_by_evidence(similarity: np.ndarray, cannot_link: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Merge the two most similar clusters for which the evidence speaks, until it speaks for none.

    The similarity of two clusters is the average over their pairs of tracks. Averages say more than single pairs, yet
    pairs of the same two clusters are not independent: the log likelihood ratio of an average over m pairs counts
    sqrt(m) times, against the prior log odds once. Clusters that hold a cannot-link pair never merge.

    similarity: (n, n) symmetric; cannot_link: (n, n) bool. Returns (n,) labels 0.. in order of each cluster's first
    track. Ties go to the lower index: the same input gives the same labels.
    """
    return _agglomerate(similarity, cannot_link, evidence=evidence, threshold=None)


def link_by_threshold(similarity: np.ndarray, cannot_link: np.ndarray, threshold: float) -> np.ndarray:
    """Average linkage cut where the average similarity falls below `threshold`; else as `link_by_evidence`."""
    return _agglomerate(similarity, cannot_link, evidence=None, threshold=threshold)


def _agglomerate(
    similarity: np.ndarray, cannot_link: np.ndarray, *, evidence: Evidence | None, threshold: float | None
) -> np.ndarray:
    n = len(similarity)
    average = similarity.astype(np.float64)
    average[cannot_link] = -np.inf
    np.fill_diagonal(average, -np.inf)
    size = np.ones(n)
    owner = np.arange(n)

    def allowed(row: int) -> np.ndarray:
        """The row's similarities where a merge is allowed, else -inf."""
        values = average[row]
        if evidence is None:
            return np.where(values >= threshold, values, -np.inf)
        finite = np.isfinite(values)
        odds = np.full(n, -np.inf)
        pairs = size[row] * size[finite]
        odds[finite] = np.sqrt(pairs) * evidence.log_likelihood_ratio(values[finite]) + evidence.prior_log_odds
        return np.where(odds > 0, values, -np.inf)

    partner = np.zeros(n, np.int64)
    best = np.full(n, -np.inf)

    def refresh(row: int) -> None:
        values = allowed(row)
        partner[row] = int(np.argmax(values))
        best[row] = values[partner[row]]

    for row in range(n):
        refresh(row)
    while n > 1:
        a = int(np.argmax(best))
        if not np.isfinite(best[a]):
            break
        a, b = sorted((a, int(partner[a])))
        forbidden = ~np.isfinite(average[a]) | ~np.isfinite(average[b])
        merged = (np.where(forbidden, 0, average[a]) * size[a] + np.where(forbidden, 0, average[b]) * size[b]) / (
            size[a] + size[b]
        )
        merged[forbidden] = -np.inf
        average[a], average[:, a] = merged, merged
        average[b], average[:, b] = -np.inf, -np.inf
        size[a] += size[b]
        owner[owner == b] = a
        best[b] = -np.inf
        refresh(a)
        # A row's best changes only where it pointed at a or b, or where the merged cluster now suits it better.
        candidates = allowed(a)
        for row in map(int, np.flatnonzero(np.isfinite(best))):
            if row == a:
                continue
            if partner[row] in (a, b):
                refresh(row)
            elif candidates[row] > best[row] or (candidates[row] == best[row] and a < partner[row]):
                partner[row], best[row] = a, candidates[row]
        for row in map(int, np.flatnonzero(np.isfinite(candidates) & ~np.isfinite(best))):
            if row != b:
                partner[row], best[row] = a, candidates[row]
    return relabel(owner)


def relabel(labels: np.ndarray) -> np.ndarray:
    """Labels (n,) renumbered 0.. in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), int)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
