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
from vcn_ray.cluster.similarity import loss_matrix, own_pair_losses


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
        distance = loss_matrix(teacher_probabilities, student_log_probabilities, rows, n)
        threshold = own_pair_losses(teacher_probabilities, student_log_probabilities, rows, n)
        close = distance < np.maximum(threshold[:, None], threshold[None])
        np.fill_diagonal(close, False)
        if not close.any():
            return labels
        _, component = connected_components(coo_array(close), directed=False)
        labels = relabel(component[labels])
