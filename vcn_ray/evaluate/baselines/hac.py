"""Average-linkage agglomerative clustering (HAC) of the tracks' mean embeddings: the field's plainest method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from vcn_ray.evaluate.baselines.problem import Baseline, Cut, TrackFaces

_MAX_COSINE_DISTANCE = 2.0
_SOURCE = (
    "Average linkage on the cosine of the tracks' mean directions (scipy). VideoClusterNet compares with HAC, too; its "
    "linkage was not at hand"
)


@dataclass(frozen=True)
class MergeTree:
    """The merges of average linkage on cosine distance, least distant first."""

    items: int
    merges: np.ndarray  # (m, 4) rows of scipy's linkage matrix, m < items; fewer where cannot-links forbid the rest

    def at_threshold(self, threshold: float) -> np.ndarray:
        """Labels after all merges of a mean cosine of at least `threshold`, (items,) int64 by appearance."""
        return self._after(int(np.sum(self.merges[:, 2] <= 1 - threshold)))

    def at_number(self, n_clusters: int) -> np.ndarray:
        """Labels when `n_clusters` are left, or as few as the cannot-links allow, (items,) int64 by appearance."""
        return self._after(min(len(self.merges), max(0, self.items - n_clusters)))

    def all_cuts(self) -> list[np.ndarray]:
        """Labels of every threshold that differs from the last one, finest first."""
        height = self.merges[:, 2]
        # A threshold takes all merges of one height or none of them.
        counts = [0, *(k for k in range(1, len(height) + 1) if k == len(height) or height[k] > height[k - 1])]
        return [self._after(count) for count in counts]

    def _after(self, count: int) -> np.ndarray:
        members: dict[int, list[int]] = {k: [k] for k in range(self.items)}
        for step, (a, b) in enumerate(self.merges[:count, :2].astype(np.int64).tolist()):
            members[self.items + step] = members.pop(a) + members.pop(b)
        labels = np.empty(self.items, dtype=np.int64)
        for label, group in enumerate(sorted(members.values(), key=min)):
            labels[group] = label
        return labels


def merge_tree(embeddings: np.ndarray, cannot_link: np.ndarray | None = None) -> MergeTree:
    """Merge the pair of clusters with the highest mean cosine, again and again.

    Args:
        embeddings: (n, D) one per track, of any length.
        cannot_link: (m, 2) rows that never come together.
    """
    n = len(embeddings)
    if n < 2:
        return MergeTree(n, np.empty((0, 4)))
    distances = cosine_distances(embeddings)
    if cannot_link is not None and len(cannot_link):
        # A distance so large that the mean over any two clusters that contain such a pair exceeds every real
        # distance: such a merge comes after all allowed ones, is left out below, and changes none before it.
        a, b = np.asarray(cannot_link).T
        distances[a, b] = distances[b, a] = 4.0 * n * n
    merges = linkage(squareform(distances, checks=False), method="average")
    return MergeTree(n, merges[merges[:, 2] <= _MAX_COSINE_DISTANCE + 1e-9])


def at_networks_threshold(recognition_threshold: float, *, cannot_link: bool) -> Baseline:
    """HAC at the cosine from which on the face-ID network's makers call two faces one person.

    Args:
        recognition_threshold: that cosine, -1..1; it is the only setting, so a bench has nothing to choose.
        cannot_link: whether tracks that are seen together stay apart.
    """
    source = f"{_SOURCE}; threshold: the network's makers' for two faces, {recognition_threshold:g}"
    settings = ({"threshold": recognition_threshold},)
    return _baseline("HAC at own threshold", source, cannot_link, settings)


def at_fixed_threshold(*, cannot_link: bool) -> Baseline:
    """HAC at one cosine for all titles, chosen on other titles from a grid of 0.10 to 0.70."""
    settings = tuple({"threshold": round(0.02 * k, 2)} for k in range(5, 36))
    return _baseline("HAC at fixed threshold", _SOURCE, cannot_link, settings)


def at_known_number(n_clusters: int, *, cannot_link: bool) -> Baseline:
    """HAC for somebody who knows how many people there are: no method of the comparison does.

    Args:
        n_clusters: number of identities of the title, at least 1. With cannot-links more clusters may be left.
        cannot_link: whether tracks that are seen together stay apart.
    """
    source = f"{_SOURCE}; the true number of identities given"
    return _baseline("HAC at known number", source, cannot_link, ({"n_clusters": n_clusters},))


def track_means(faces: TrackFaces) -> np.ndarray:
    """Mean direction of each track's crops, (t, D) float64."""
    return mean_embeddings(faces.embeddings, faces.track_of_crop)[1]


def mean_embeddings(embeddings: np.ndarray, track_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each track's crops.

    Args:
        embeddings: (n, D) one per crop; each is normalised to length 1 first, so that no crop outweighs another.
        track_id: (n,) the crops' tracks.

    Returns the tracks in ascending order, (t,), and their mean embeddings, (t, D) float64.
    """
    directions = unit(embeddings)
    tracks, index = np.unique(track_id, return_inverse=True)
    sums = np.zeros((len(tracks), directions.shape[1]))
    np.add.at(sums, index, directions)
    return tracks, sums / np.bincount(index)[:, None]


def cosine_distances(vectors: np.ndarray) -> np.ndarray:
    """1 - cosine of all pairs of rows, (n, n) float64 in 0..2, exactly symmetric with a zero diagonal."""
    directions = unit(vectors)
    distances = np.clip(1 - directions @ directions.T, 0, _MAX_COSINE_DISTANCE)
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0)
    return distances


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float64; a row of zeros stays one."""
    x = np.asarray(vectors, dtype=np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def _baseline(name: str, source: str, cannot_link: bool, settings: tuple[Mapping[str, float], ...]) -> Baseline:
    def prepare(faces: TrackFaces, seed: int) -> Cut:
        links = np.argwhere(np.triu(faces.cannot_link)) if cannot_link else None
        return tree_cut(merge_tree(track_means(faces), links))

    return Baseline(f"{name} with cannot-link" if cannot_link else name, source, prepare, settings)


def tree_cut(tree: MergeTree) -> Cut:
    """The cut of a tree by the setting `threshold` or `n_clusters`, as a `Baseline`'s `prepare` returns it."""

    def cut(threshold: float | None = None, n_clusters: float | None = None) -> np.ndarray:
        if threshold is not None:
            return tree.at_threshold(threshold)
        return tree.at_number(int(n_clusters or 0))

    return cut
