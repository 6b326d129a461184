"""The paper's own merging, to the letter (P 3.7): for comparison, see `method: paper`.

With the loss as distance and a threshold from a track's own crops it either chains or hardly merges, depending on the
scale of the outputs; docs/method.md says why. The robust default is `evidence_linkage`.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vcn_ray.cluster.clusterer import Clusters, TitleFaces
from vcn_ray.cluster.linkage import relabel
from vcn_ray.cluster.similarity import losses, own_pair_losses, row_blocks, track_means


class LiteralClusterer:
    """The paper's merging of the kept tracks; it knows no cannot-links and no confidence."""

    def cluster(self, title: TitleFaces) -> Clusters:
        """Clusters of the kept tracks; the others are in none."""
        rows, track_of_row = title.kept_crops()
        p, log_q = title.outputs.probabilities[rows], title.outputs.log_probabilities[rows]
        return title.clusters_of_kept(merge_literally(p, log_q, track_of_row, int(title.kept.sum())))


def merge_literally(
    teacher_probabilities: np.ndarray, student_log_probabilities: np.ndarray, track_of_row: np.ndarray, n_tracks: int
) -> np.ndarray:
    """Clusters of tracks by the paper's merging.

    Two clusters merge where their distance, L_ssl averaged over both directions and all pairs of crops, is below the
    threshold of either: the mean of L_ssl over pairs of its own crops. Merging is transitive; it is repeated on the
    clusters, whose crops are those of all their tracks, until nothing merges.

    teacher_probabilities, student_log_probabilities: (rows, K), one row per crop or view; track_of_row: (rows,), every
    track with at least one row. Returns (n_tracks,) labels 0.. in order of first appearance.
    """
    labels = np.arange(n_tracks)
    while True:
        n = int(labels.max(initial=-1)) + 1
        if n < 2:
            return labels
        rows = labels[track_of_row]
        close = _close_clusters(teacher_probabilities, student_log_probabilities, rows, n)
        if close.max() == n - 1:
            return labels
        labels = relabel(close[labels])


def _close_clusters(p: np.ndarray, log_q: np.ndarray, cluster_of_row: np.ndarray, n: int) -> np.ndarray:
    """Number, 0.., of the connected clusters that each of n is of; connected are those of which the paper merges two.

    The matrix of distances is worked off in blocks of rows; what a block connects is one number in the next.
    """
    threshold = own_pair_losses(p, log_q, cluster_of_row, n)
    p, log_q = (track_means(x, cluster_of_row, n) for x in (p, log_q))
    connected = np.arange(n)
    for part in row_blocks(n):
        row, other = np.nonzero(losses(p, log_q, part) < np.maximum(threshold[part, None], threshold[None]))
        edges = coo_array((np.ones(len(row), bool), (connected[row + part.start], connected[other])), shape=(n, n))
        connected = connected_components(edges, directed=False)[1][connected]
    return np.unique(connected, return_inverse=True)[1]
