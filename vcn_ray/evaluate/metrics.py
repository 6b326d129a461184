"""Measures of a clustering against true identities, on plain label lists.

Items are tracks; each has a predicted cluster and a true identity, two labels of any hashable kind. All measures
follow from the contingency table, so they cost O(n log n) and do not depend on how clusters or identities are named.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class ClusterScores:
    """All measures of one clustering; each lies in 0..1, except the counts and `pcr`."""

    items: int
    clusters: int
    identities: int
    wcp: float
    pcr: float
    nmi: float
    bcubed_p: float
    bcubed_r: float
    bcubed_f: float
    pair_p: float
    pair_r: float
    pair_f: float

    def to_dict(self) -> dict[str, float]:
        """The measures by name."""
        return asdict(self)


@dataclass(frozen=True)
class Contingency:
    """Counts of items by cluster, by identity and by both; the last one sparse, as only few pairs occur."""

    by_cluster: np.ndarray  # (clusters,) items of each cluster
    by_identity: np.ndarray  # (identities,) items of each identity
    pair_cluster: np.ndarray  # (pairs,) index of the cluster of each (cluster, identity) that occurs
    pair_identity: np.ndarray  # (pairs,) index of its identity
    pair_count: np.ndarray  # (pairs,) items of that pair

    @property
    def items(self) -> int:
        """Number of items."""
        return int(self.by_cluster.sum())


def contingency(clusters: Sequence[Hashable], identities: Sequence[Hashable]) -> Contingency:
    """Count items by (cluster, identity).

    Raises ValueError when the lists differ in length or are empty: no measure is defined without items.
    """
    if len(clusters) != len(identities):
        raise ValueError(f"{len(clusters)} clusters for {len(identities)} identities: one of each per item is needed")
    if not len(clusters):
        raise ValueError("no items to score")
    cluster, identity = _codes(clusters), _codes(identities)
    identity_count = int(identity.max()) + 1
    pairs, pair_count = np.unique(cluster * identity_count + identity, return_counts=True)
    return Contingency(
        by_cluster=np.bincount(cluster),
        by_identity=np.bincount(identity),
        pair_cluster=pairs // identity_count,
        pair_identity=pairs % identity_count,
        pair_count=pair_count,
    )


def cluster_scores(clusters: Sequence[Hashable], identities: Sequence[Hashable]) -> ClusterScores:
    """All measures of one clustering; `pcr` counts the identities among these items alone."""
    table = contingency(clusters, identities)
    bcubed = bcubed_scores(table)
    pairs = pairwise_scores(table)
    return ClusterScores(
        items=table.items,
        clusters=len(table.by_cluster),
        identities=len(table.by_identity),
        wcp=weighted_cluster_purity(table),
        pcr=len(table.by_cluster) / len(table.by_identity),
        nmi=normalised_mutual_information(table),
        bcubed_p=bcubed[0],
        bcubed_r=bcubed[1],
        bcubed_f=bcubed[2],
        pair_p=pairs[0],
        pair_r=pairs[1],
        pair_f=pairs[2],
    )


def weighted_cluster_purity(table: Contingency) -> float:
    """WCP: over the clusters, the sum of the largest identity's items, over all items (VideoClusterNet, Sec. 4).

    It does not punish splitting: a cluster for each item has WCP 1. Read it beside PCR.
    """
    largest = np.zeros(len(table.by_cluster), dtype=np.int64)
    np.maximum.at(largest, table.pair_cluster, table.pair_count)
    return float(largest.sum() / table.items)


def normalised_mutual_information(table: Contingency) -> float:
    """NMI: mutual information over the mean of both entropies; 1 where both sides have one label."""
    n = table.items
    entropy = _entropy(table.by_cluster / n) + _entropy(table.by_identity / n)
    if entropy <= 0:
        return 1.0
    joint = table.pair_count / n
    expected = table.by_cluster[table.pair_cluster] / n * (table.by_identity[table.pair_identity] / n)
    mutual = float(np.sum(joint * np.log(joint / expected)))
    return min(1.0, max(0.0, 2 * mutual / entropy))


def bcubed_scores(table: Contingency) -> tuple[float, float, float]:
    """B-cubed precision, recall and F (Bagga and Baldwin, 1998).

    Precision is, for the mean item, the share of its cluster that has its identity; recall the share of its identity
    that is in its cluster.
    """
    squares = table.pair_count.astype(np.float64) ** 2
    precision = float(np.sum(squares / table.by_cluster[table.pair_cluster]) / table.items)
    recall = float(np.sum(squares / table.by_identity[table.pair_identity]) / table.items)
    return precision, recall, _harmonic_mean(precision, recall)


def pairwise_scores(table: Contingency) -> tuple[float, float, float]:
    """Precision, recall and F over pairs of items: is a pair of one cluster of one identity, and the reverse?

    Where no cluster (or no identity) has two items there is no pair to be wrong about: precision (or recall) is 1.
    """
    same, in_clusters, in_identities = (
        float(np.sum(count.astype(np.float64) * (count - 1)))
        for count in (table.pair_count, table.by_cluster, table.by_identity)
    )
    precision = same / in_clusters if in_clusters else 1.0
    recall = same / in_identities if in_identities else 1.0
    return precision, recall, _harmonic_mean(precision, recall)


def _codes(labels: Sequence[Hashable]) -> np.ndarray:
    """Labels as integers 0, 1, ... in order of appearance; labels need not be sortable, nor of one type."""
    numbers: dict[Hashable, int] = {}
    return np.fromiter((numbers.setdefault(label, len(numbers)) for label in labels), dtype=np.int64, count=len(labels))


def _entropy(shares: np.ndarray) -> float:
    return float(-np.sum(shares * np.log(shares)))


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
