"""The paper's own merging, to the letter (P 3.7): for comparison, see `method: paper`.

Two clusters merge where the loss between them is below the threshold of either, the mean loss within it. Whether the
loss between is the mean over all pairs of their crops, or that of their mean outputs, is not said: there is a clusterer
for each. docs/method.md says what the rule asks. The robust default is `evidence_linkage`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import log_softmax

from vcn_ray.cluster.clusterer import Clusters, TitleFaces
from vcn_ray.cluster.linkage import relabel
from vcn_ray.cluster.similarity import losses, own_pair_losses, row_blocks, track_means

#: The loss between two clusters: the mean over all pairs of their crops, or that of their mean outputs.
Distance = Literal["pairs", "means"]


@dataclass(frozen=True)
class LiteralClusterer:
    """The paper's merging of the kept tracks; it knows no cannot-links and no confidence."""

    distance: Distance = "pairs"

    def cluster(self, title: TitleFaces) -> Clusters:
        """Clusters of the kept tracks; the others are in none."""
        rows, track_of_row = title.kept_crops()
        log_p, log_q = title.outputs.target_log_probabilities[rows], title.outputs.log_probabilities[rows]
        labels = merge_literally(log_p, log_q, track_of_row, int(title.kept.sum()), self.distance)
        return title.clusters_of_kept(labels)


def merge_literally(
    target_log_probabilities: np.ndarray,
    student_log_probabilities: np.ndarray,
    track_of_row: np.ndarray,
    n_tracks: int,
    distance: Distance = "pairs",
) -> np.ndarray:
    """Clusters of tracks by the paper's merging.

    Two clusters merge where their distance, L_ssl averaged over both directions, is below the threshold of either: the
    mean of L_ssl over pairs of its own crops. Merging is transitive; it is repeated on the clusters, whose crops are
    those of all their tracks, until nothing merges.

    Args:
        target_log_probabilities: (rows, K), one row per crop or view: log softmax((e - c) / temp).
        student_log_probabilities: (rows, K) log softmax(e / temp) of the same.
        track_of_row: (rows,), every track with at least one row.
        n_tracks: how many there are.
        distance: "pairs", L_ssl averaged over all pairs of crops; "means", L_ssl of the clusters' mean outputs e.

    Returns (n_tracks,) labels 0.. in order of first appearance.
    """
    labels = np.arange(n_tracks)
    while True:
        n = int(labels.max(initial=-1)) + 1
        if n < 2:
            return labels
        rows = labels[track_of_row]
        close = _close_clusters(target_log_probabilities, student_log_probabilities, rows, n, distance)
        if close.max() == n - 1:
            return labels
        labels = relabel(close[labels])


def _close_clusters(
    log_p: np.ndarray, log_q: np.ndarray, cluster_of_row: np.ndarray, n: int, distance: Distance
) -> np.ndarray:
    """Number, 0.., of the connected clusters that each of n is of; connected are those of which the paper merges two.

    The matrix of distances is worked off in blocks of rows; what a block connects is one number in the next.
    """
    p = np.exp(log_p.astype(np.float64))
    threshold = own_pair_losses(p, log_q, cluster_of_row, n)
    if distance == "pairs":
        p, log_q = (track_means(x, cluster_of_row, n) for x in (p, log_q))
    else:
        # Mean outputs' softmax is that of the mean logarithms: what they lack is the same for all K.
        p, log_q = (log_softmax(track_means(x, cluster_of_row, n), axis=1) for x in (log_p, log_q))
        p = np.exp(p)
    connected = np.arange(n)
    for part in row_blocks(n):
        row, other = np.nonzero(losses(p, log_q, part) < np.maximum(threshold[part, None], threshold[None]))
        edges = coo_array((np.ones(len(row), bool), (connected[row + part.start], connected[other])), shape=(n, n))
        connected = connected_components(edges, directed=False)[1][connected]
    return np.unique(connected, return_inverse=True)[1]
