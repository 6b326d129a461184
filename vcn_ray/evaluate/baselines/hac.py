"""Baselines to print beside a result: average-linkage agglomerative clustering of the tracks' mean embeddings."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from vcn_ray.evaluate.metrics import bcubed_scores, contingency

_MAX_COSINE_DISTANCE = 2.0


def mean_embeddings(embeddings: np.ndarray, track_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each track's crops.

    Args:
        embeddings: (n, D) one per crop; each is normalised to length 1 first, so that no crop outweighs another.
        track_id: (n,) the crops' tracks.

    Returns the tracks in ascending order, (t,), and their mean embeddings, (t, D) float64.
    """
    unit = _unit(embeddings)
    tracks, index = np.unique(track_id, return_inverse=True)
    sums = np.zeros((len(tracks), unit.shape[1]))
    np.add.at(sums, index, unit)
    return tracks, sums / np.bincount(index)[:, None]


def hac_labels(
    embeddings: np.ndarray,
    threshold: float | None = None,
    n_clusters: int | None = None,
    cannot_link: np.ndarray | None = None,
) -> np.ndarray:
    """Average-linkage clustering on cosine distance.

    Args:
        embeddings: (n, D) one per track.
        threshold: clusters merge while the mean cosine between their members is at least this; for instance the
            `recognition_threshold` of a face pack.
        n_clusters: instead of a threshold, merge until so many clusters are left. With cannot-link pairs more may
            be left: a merge that they forbid is never made.
        cannot_link: (m, 2) rows that never come together.

    Returns (n,) int64 labels 0, 1, ... in order of appearance.
    """
    if (threshold is None) == (n_clusters is None):
        raise ValueError(f"give one of {threshold=} and {n_clusters=}")
    merges = _merges(embeddings, cannot_link)
    if threshold is not None:
        return _cut(merges, len(embeddings), int(np.sum(merges[:, 2] <= 1 - threshold)))
    return _cut(merges, len(embeddings), max(0, len(embeddings) - int(n_clusters or 0)))


def oracle_hac_labels(
    embeddings: np.ndarray, identities: Sequence[Hashable], cannot_link: np.ndarray | None = None
) -> np.ndarray:
    """Average-linkage clustering at the threshold that is best in hindsight, by B-cubed F; the coarsest among equals.

    What no method can know: an upper bound for any automatic cut of this tree. Returns (n,) labels.
    """
    merges = _merges(embeddings, cannot_link)
    # A threshold takes all merges of one height or none of them.
    cuts = [0, *(k for k in range(1, len(merges) + 1) if k == len(merges) or merges[k, 2] > merges[k - 1, 2])]
    labels = [_cut(merges, len(embeddings), k) for k in cuts]
    scores = [bcubed_scores(contingency(candidate.tolist(), identities))[2] for candidate in labels]
    best = max(range(len(cuts)), key=lambda k: (scores[k], k))
    return labels[best]


def _merges(embeddings: np.ndarray, cannot_link: np.ndarray | None) -> np.ndarray:
    """Allowed rows of scipy's linkage matrix, in order of height.

    A cannot-link pair gets a distance so large that the mean over any two clusters that contain one exceeds every
    real distance: such a merge comes after all allowed ones and is cut off here, and changes none before it.
    """
    n = len(embeddings)
    if n < 2:
        return np.empty((0, 4))
    distances = np.clip(pdist(_unit(embeddings), metric="cosine"), 0, _MAX_COSINE_DISTANCE)
    if cannot_link is not None and len(cannot_link):
        square = squareform(distances)
        a, b = np.asarray(cannot_link).T
        square[a, b] = square[b, a] = 4.0 * n * n
        distances = squareform(square)
    merges = linkage(distances, method="average")
    return merges[merges[:, 2] <= _MAX_COSINE_DISTANCE + 1e-9]


def _cut(merges: np.ndarray, n: int, count: int) -> np.ndarray:
    """Labels after the first `count` merges."""
    members: dict[int, list[int]] = {k: [k] for k in range(n)}
    for step, (a, b) in enumerate(merges[:count, :2].astype(np.int64).tolist()):
        members[n + step] = members.pop(a) + members.pop(b)
    labels = np.empty(n, dtype=np.int64)
    for label, group in enumerate(sorted(members.values(), key=min)):
        labels[group] = label
    return labels


def _unit(embeddings: np.ndarray) -> np.ndarray:
    x = np.asarray(embeddings, dtype=np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
