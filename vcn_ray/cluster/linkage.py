"""Agglomerative clustering of tracks by average similarity, with cannot-links and a cut by evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from vcn_ray.cluster.evidence import Evidence, crp_concentration


class MergeEvidence(Protocol):
    """What decides whether two clusters are one, see `evidence.Evidence`."""

    def log_odds(
        self, value: np.ndarray, clarity: np.ndarray, pairs: np.ndarray | float, larger: np.ndarray | float
    ) -> np.ndarray:
        """log odds that two clusters are one character; never falls as the value, their similarity, grows."""


class ClusterSums:
    """What clusters of tracks are known by while they grow: their sizes and how clear their tracks are.

    Clear tracks count more: a track weighs as much as its clarity.
    """

    def __init__(self, clarity: np.ndarray):
        """Each track a cluster of its own; (n,) clarity, above 0."""
        self.tracks = np.ones(len(clarity))
        self.weight = clarity.astype(np.float64)
        self._squares = self.weight**2

    def merge(self, a: int, b: int) -> None:
        """Cluster b becomes part of cluster a."""
        for sums in (self.tracks, self.weight, self._squares):
            sums[a] += sums[b]

    def clarity(self, clusters: np.ndarray | int) -> np.ndarray:
        """Weighted mean clarity of these clusters' tracks."""
        return self._squares[clusters] / self.weight[clusters]

    def effective_tracks(self, clusters: np.ndarray | int) -> np.ndarray:
        """Number of equally clear tracks that would weigh as much."""
        return self.weight[clusters] ** 2 / self._squares[clusters]

    def log_odds(self, a: int, others: np.ndarray, value: np.ndarray, evidence: MergeEvidence) -> np.ndarray:
        """log odds that cluster a and each of the others are one character, `value` their average similarity."""
        return evidence.log_odds(
            value,
            np.sqrt(self.clarity(a) * self.clarity(others)),
            self.effective_tracks(a) * self.effective_tracks(others),
            np.maximum(self.tracks[a], self.tracks[others]),
        )


def link_by_evidence(
    similarity: np.ndarray,
    clarity: np.ndarray,
    cannot_link: np.ndarray,
    evidence: MergeEvidence,
    least_log_odds: float = 0.0,
) -> np.ndarray:
    """Merge the two most similar clusters for which the evidence speaks, until it speaks for none.

    The similarity of two clusters is the average over their pairs of tracks, clear ones weighing more. Clusters that
    hold a cannot-link pair never merge.

    similarity: (n, n) symmetric; clarity: (n,) of the tracks, above 0; cannot_link: (n, n) bool; least_log_odds: a
    merge wants more than these. Returns (n,) labels 0.. in order of each cluster's first track. Ties go to the lower
    index: the same input gives the same labels.
    """
    n = len(similarity)
    average = similarity.astype(np.float64)
    average[cannot_link] = -np.inf
    np.fill_diagonal(average, -np.inf)
    sums = ClusterSums(clarity)
    owner = np.arange(n)
    partner = np.zeros(n, np.int64)
    best = np.full(n, -np.inf)  # similarity of each cluster's best partner, -inf where it has none

    def refresh(row: int) -> np.ndarray:
        """The row's similarities where a merge is allowed, else -inf; and its best partner from them."""
        values = np.full(n, -np.inf)
        possible = np.flatnonzero(np.isfinite(average[row]))
        odds = sums.log_odds(row, possible, average[row, possible], evidence)
        speaks = possible[odds > least_log_odds]
        values[speaks] = average[row, speaks]
        if n:
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
        total = sum(np.where(forbidden, 0, average[c]) * sums.weight[c] for c in (a, b))
        merged = np.where(forbidden, -np.inf, total / (sums.weight[a] + sums.weight[b]))
        average[a], average[:, a] = merged, merged
        average[b], average[:, b] = -np.inf, -np.inf
        sums.merge(a, b)
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


def find_characters(
    similarity: np.ndarray,
    clarity: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
    least_log_odds: float = 0.0,
) -> tuple[np.ndarray, Evidence]:
    """`link_by_evidence` with a prior that agrees with the number of characters that it finds.

    More characters than the share of same pairs lets expect ask for more concentration (`Evidence.concentration`),
    which gives as many or more of them; that is repeated until they ask no more. Returns labels and the evidence.
    """
    while True:
        labels = link_by_evidence(similarity, clarity, cannot_link, evidence, least_log_odds)
        if not len(labels):
            return labels, evidence
        wanted = crp_concentration(int(labels.max()) + 1, len(labels))
        if wanted <= evidence.concentration * (1 + 1e-9):
            return labels, evidence
        evidence = replace(evidence, least_concentration=wanted)


def relabel(labels: np.ndarray) -> np.ndarray:
    """Labels (n,) renumbered 0.. in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), int)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
