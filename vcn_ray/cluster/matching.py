"""Coarse matching: which tracks may train together in the next iteration (P 3.5)."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vcn_ray.cluster.similarity import row_blocks, track_means


def matched_groups(
    embeddings: np.ndarray, track_of_row: np.ndarray, n_tracks: int, *, mutual: bool = False
) -> tuple[np.ndarray, int]:
    """Tracks that `TrackGaussians` connects, (n_tracks,) numbers 0.. of groups, and how many pairs match.

    mutual: whether a match in one direction is not enough. Matches are worked off in blocks of rows; what a block
    connects is one number in the next.
    """
    gaussians = TrackGaussians(embeddings, track_of_row, n_tracks)
    group, pairs = np.arange(n_tracks), 0
    for part in row_blocks(n_tracks):
        row, other = np.nonzero(gaussians.matches(part, mutual=mutual))
        pairs += len(row)
        edges = coo_array(
            (np.ones(len(row), bool), (group[row + part.start], group[other])), shape=(n_tracks, n_tracks)
        )
        group = connected_components(edges, directed=False)[1][group]
    return np.unique(group, return_inverse=True)[1], pairs // 2


class TrackGaussians:
    """The paper's matching: whose mean is as likely under a track's Gaussian as that track's own outskirts.

    A Gaussian is fitted to each track's embeddings; the track's threshold is the mean of the lowest 25 % of the log
    densities of its own embeddings; track B matches A where the log density of B's mean under A reaches it. A full
    covariance of a few rows in 128 dimensions is singular and matches nothing in any regularisation that we tried, so
    the Gaussian is diagonal, each variance floored at 1 % of the title's mean within-track variance, and wants several
    augmented views per crop as its rows.
    """

    def __init__(self, embeddings: np.ndarray, track_of_row: np.ndarray, n_tracks: int):
        """Fit one to each track; embeddings: (rows, D), track_of_row: (rows,)."""
        x = embeddings.astype(np.float64)
        self._mean = mean = track_means(x, track_of_row, n_tracks)
        variance = track_means((x - mean[track_of_row]) ** 2, track_of_row, n_tracks)
        self._count = count = np.bincount(track_of_row, minlength=n_tracks)
        several = count > 1
        floor = 0.01 * variance[several].mean() if several.any() else 1.0
        variance = np.maximum(variance, max(floor, 1e-12))
        self._log_norm = log_norm = -0.5 * np.log(2 * np.pi * variance).sum(1)

        own = log_norm[track_of_row] - 0.5 * ((x - mean[track_of_row]) ** 2 / variance[track_of_row]).sum(1)
        by_track = np.split(own[np.argsort(track_of_row, kind="stable")], np.cumsum(count)[:-1])
        self._threshold = np.full(n_tracks, np.inf)
        for track in np.flatnonzero(several):
            lowest = np.sort(by_track[track])[: max(1, round(0.25 * count[track]))]
            self._threshold[track] = lowest.mean()
        self._precision = 1 / variance

    def matches(self, rows: slice, *, mutual: bool = False) -> np.ndarray:
        """(r, n_tracks) bool: which tracks each of these matches, in either direction or, `mutual`, in both.

        No track matches itself, nor one that has no rows.
        """
        whole = slice(0, len(self._mean))
        there, back = self._reach(rows, whole), self._reach(whole, rows).T
        matches = there & back if mutual else there | back
        here = np.arange(len(self._mean))[rows]
        matches[np.arange(len(here)), here] = False
        return matches

    def _reach(self, of: slice, under: slice) -> np.ndarray:
        """(b, a) bool: whether the mean of a track b is likely enough under the Gaussian of a track a."""
        mean, own, precision = self._mean[of], self._mean[under], self._precision[under]
        # sum_d (m_bd - m_ad)^2 / v_ad for all pairs, as three products
        squares = (mean**2) @ precision.T - 2 * mean @ (own * precision).T + ((own**2) * precision).sum(1)[None]
        reached = self._log_norm[under][None] - 0.5 * squares >= self._threshold[under][None]
        reached[self._count[of] == 0] = False
        return reached
