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

    @classmethod
    def of(cls, tracks: np.ndarray, weight: np.ndarray, squares: np.ndarray) -> ClusterSums:
        """Clusters that have grown already: their tracks, the sum of these tracks' clarity, and of its squares."""
        sums = cls(weight)
        sums.tracks, sums._squares = tracks.astype(np.float64), squares.astype(np.float64)
        return sums

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


class MergingGroups(Protocol):
    """Groups 0.. that merge two by two; a group goes by the lowest number in it."""

    def allowed(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The groups that this one may merge with, ascending, and its similarity to each.

        Both sides of a pair give the same bits, whatever else has merged.
        """

    def merge(self, a: int, b: int) -> None:
        """Group `b` becomes part of group `a`, a < b."""


def merge_most_similar(groups: MergingGroups, count: int) -> None:
    """Merge the two most similar of so many groups that may merge, until no two may.

    Ties go to the lower number, so the same groups merge in the same order.
    """
    partner = np.zeros(count, np.int64)
    best = np.full(count, -np.inf)  # similarity of each group's best partner, -inf where it has none
    known = np.ones(count, bool)  # else that partner has merged, and whoever is left is not more similar than it was

    def look(group: int) -> tuple[np.ndarray, np.ndarray]:
        others, similarity = groups.allowed(group)
        best[group] = similarity.max(initial=-np.inf)
        known[group] = True
        if len(others):
            partner[group] = others[np.argmax(similarity)]
        return others, similarity

    for group in range(count):
        look(group)
    while count:
        a = int(np.argmax(best))
        if not np.isfinite(best[a]):
            break
        if not known[a]:
            look(a)
            continue
        a, b = sorted((a, int(partner[a])))
        groups.merge(a, b)
        best[b] = -np.inf
        known[(partner == a) | (partner == b)] = False
        others, similarity = look(a)
        # Another group's best changes only where it pointed at a or b, or where the merged group now suits it better.
        better = similarity > best[others]
        better |= known[others] & (similarity == best[others]) & (a < partner[others])
        partner[others[better]], best[others[better]], known[others[better]] = a, similarity[better], True


class _TrackClusters:
    """Clusters of tracks by their average similarity, clear tracks weighing more."""

    def __init__(
        self,
        similarity: np.ndarray,
        clarity: np.ndarray,
        cannot_link: np.ndarray,
        evidence: MergeEvidence,
        least_log_odds: float,
    ):
        self._average = similarity.astype(np.float64)  # -inf where two may never merge
        self._average[cannot_link] = -np.inf
        np.fill_diagonal(self._average, -np.inf)
        self._sums = ClusterSums(clarity)
        self._evidence, self._least_log_odds = evidence, least_log_odds
        self.owner = np.arange(len(similarity))  # (tracks,) cluster of each

    def allowed(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        possible = np.flatnonzero(np.isfinite(self._average[group]))
        similarity = self._average[group, possible]
        speaks = self._sums.log_odds(group, possible, similarity, self._evidence) > self._least_log_odds
        return possible[speaks], similarity[speaks]

    def merge(self, a: int, b: int) -> None:
        average, weight = self._average, self._sums.weight
        forbidden = ~np.isfinite(average[a]) | ~np.isfinite(average[b])
        total = sum(np.where(forbidden, 0, average[c]) * weight[c] for c in (a, b))
        merged = np.where(forbidden, -np.inf, total / (weight[a] + weight[b]))
        average[a], average[:, a] = merged, merged
        average[b], average[:, b] = -np.inf, -np.inf
        self._sums.merge(a, b)
        self.owner[self.owner == b] = a


def link_by_evidence(
    similarity: np.ndarray,
    clarity: np.ndarray,
    cannot_link: np.ndarray,
    evidence: MergeEvidence,
    least_log_odds: float = 0.0,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Merge the two most similar clusters for which the evidence speaks, until it speaks for none.

    The similarity of two clusters is the average over their pairs of tracks, clear ones weighing more. Clusters that
    hold a cannot-link pair never merge.

    similarity: (n, n) symmetric; clarity: (n,) of the tracks, above 0; cannot_link: (n, n) bool; least_log_odds: a
    merge wants more than these; group: (n,) int64, tracks of one number are one cluster from the start, None: no
    two are. Returns (n,) labels 0.. in order of each cluster's first track. Ties go to the lower index: the same input
    gives the same labels.
    """
    clusters = _TrackClusters(similarity, clarity, cannot_link, evidence, least_log_odds)
    if group is not None:
        _, first, of_track = np.unique(group, return_index=True, return_inverse=True)
        for track in np.flatnonzero(first[of_track] != np.arange(len(group))).tolist():
            clusters.merge(int(first[of_track[track]]), track)
    merge_most_similar(clusters, len(similarity))
    return relabel(clusters.owner)


def find_characters(
    similarity: np.ndarray,
    clarity: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
    least_log_odds: float = 0.0,
    group: np.ndarray | None = None,
) -> tuple[np.ndarray, Evidence]:
    """`link_by_evidence` with a prior that agrees with the number of characters that it finds.

    More characters than the share of same pairs lets expect ask for more concentration (`Evidence.concentration`),
    which gives as many or more of them; that is repeated until they ask no more. Returns labels and the evidence.
    """
    while True:
        labels = link_by_evidence(similarity, clarity, cannot_link, evidence, least_log_odds, group)
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
