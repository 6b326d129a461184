"""How far a track's faces can be trusted: SER-FIQ scores and the outlier filter."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vcn_ray.cluster.similarity import track_means, unit

Deviation = Literal["mean", "median", "scaled_median"]


def crop_quality(stochastic_embeddings: np.ndarray) -> np.ndarray:
    """SER-FIQ quality of crops (P 3.6): 2 sigmoid(-mean_{i<j} ||x_i - x_j||).

    stochastic_embeddings: (crops, m, D), m passes with dropout, m >= 2; normalised here. Returns (crops,) in 0..1; 1
    where dropout changes nothing.
    """
    x = unit(stochastic_embeddings.astype(np.float64))
    m = x.shape[1]
    if m < 2:
        raise ValueError(f"SER-FIQ needs at least 2 passes, got {m=}")
    first, second = np.triu_indices(m, 1)
    distance = np.linalg.norm(x[:, first] - x[:, second], axis=-1).mean(1)
    return 2 / (1 + np.exp(distance))


def track_quality(stochastic_embeddings: np.ndarray, track_of_row: np.ndarray, n_tracks: int) -> np.ndarray:
    """Quality of tracks: the mean over their crops (P 3.6). Returns (n_tracks,); 0 for a track without crops."""

    def of_crops(stochastic: np.ndarray) -> np.ndarray:
        return crop_quality(stochastic)[:, None]

    return track_means(stochastic_embeddings, track_of_row, n_tracks, of_crops)[:, 0]


def quality_threshold(quality: np.ndarray, deviation: Deviation, factor: float = 2.7) -> float:
    """Eq. 1 of the supplement: mean(tqs) - 2.7 MAD(tqs).

    Which MAD is not said. "mean": mean absolute deviation from the mean, which fits the text's "lower 1.5 %" of a
    Gaussian best; "median": median absolute deviation; "scaled_median": that times 1.4826. quality: (tracks,).
    """
    if not len(quality):
        return 0.0
    centre = quality.mean()
    if deviation == "mean":
        spread = np.abs(quality - centre).mean()
    else:
        spread = np.median(np.abs(quality - np.median(quality))) * (1.4826 if deviation == "scaled_median" else 1.0)
    return float(centre - factor * spread)
