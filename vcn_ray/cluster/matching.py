"""Coarse matching: which tracks may train together in the next iteration (P 3.5)."""

from __future__ import annotations

import numpy as np

from vcn_ray.cluster.similarity import track_means


def gaussian_matches(embeddings: np.ndarray, track_of_row: np.ndarray, n_tracks: int) -> np.ndarray:
    """The paper's matching: whose mean is as likely under a track's Gaussian as that track's own outskirts.

    A Gaussian is fitted to each track's embeddings; the track's threshold is the mean of the lowest 25 % of the log
    densities of its own embeddings; track B matches A where the log density of B's mean under A reaches it. A full
    covariance of a few rows in 128 dimensions is singular and matches nothing in any regularisation that we tried, so
    the Gaussian is diagonal, each variance floored at 1 % of the title's mean within-track variance, and wants several
    augmented views per crop as its rows.

    embeddings: (rows, D); track_of_row: (rows,). Returns (n_tracks, n_tracks) bool, symmetric (a match in either
    direction counts), False on the diagonal and for tracks without rows.
    """
    x = embeddings.astype(np.float64)
    mean = track_means(x, track_of_row, n_tracks)
    variance = track_means((x - mean[track_of_row]) ** 2, track_of_row, n_tracks)
    count = np.bincount(track_of_row, minlength=n_tracks)
    several = count > 1
    floor = 0.01 * variance[several].mean() if several.any() else 1.0
    variance = np.maximum(variance, max(floor, 1e-12))
    log_norm = -0.5 * np.log(2 * np.pi * variance).sum(1)

    own = log_norm[track_of_row] - 0.5 * ((x - mean[track_of_row]) ** 2 / variance[track_of_row]).sum(1)
    threshold = np.full(n_tracks, np.inf)
    for track in np.flatnonzero(several):
        lowest = np.sort(own[track_of_row == track])[: max(1, round(0.25 * count[track]))]
        threshold[track] = lowest.mean()

    # sum_d (m_bd - m_ad)^2 / v_ad for all pairs, as three products
    precision = 1 / variance
    squares = (mean**2) @ precision.T - 2 * mean @ (mean * precision).T + ((mean**2) * precision).sum(1)[None]
    density = log_norm[None] - 0.5 * squares  # [b, a]: of b's mean under a
    matches = density >= threshold[None]
    matches[count == 0] = False
    matches |= matches.T
    np.fill_diagonal(matches, False)
    return matches
