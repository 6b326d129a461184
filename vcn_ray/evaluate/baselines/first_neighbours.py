"""First-neighbour clustering (the FINCH algorithm), written from its paper.

Sarfraz, Sharma, Stiefelhagen, "Efficient Parameter-free Clustering Using First Neighbor Relations", CVPR 2019.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vcn_ray.evaluate.baselines.hac import track_means, unit
from vcn_ray.evaluate.baselines.labels import by_appearance
from vcn_ray.evaluate.baselines.problem import Baseline, Cut, TrackFaces

_BLOCK_ROWS = 2048


def first_neighbour_partitions(vectors: np.ndarray) -> list[np.ndarray]:
    """All partitions of the hierarchy, finest first; the last one is a single cluster.

    Two items are linked where one is the other's nearest neighbour or both have the same nearest neighbour (Eq. 1);
    the connected components are the first partition. Each next one does the same to the clusters' means, which joins
    every cluster to another one at least (Algorithm 1).

    Args:
        vectors: (n, D) one per item, compared by cosine; a cluster's mean is over its items' vectors as given.

    Returns labels (n,) int64 by appearance for each partition; one partition of one cluster for a single item, none
    for no item.
    """
    x = np.asarray(vectors, dtype=np.float64)
    if len(x) == 0:
        return []
    partitions: list[np.ndarray] = []
    labels = np.arange(len(x))
    means = x
    while True:
        labels = by_appearance(_join_first_neighbours(means)[labels])
        partitions.append(labels)
        clusters = int(labels.max()) + 1
        if clusters == 1:
            return partitions
        sums = np.zeros((clusters, x.shape[1]))
        np.add.at(sums, labels, x)
        means = sums / np.bincount(labels)[:, None]


def nearest_by_cosine(vectors: np.ndarray, block_rows: int = _BLOCK_ROWS) -> np.ndarray:
    """Each row's most similar other row, (n,) int64, n >= 2; the first among equals.

    `block_rows` are compared with all at a time, so that memory does not grow with the square of n.
    """
    directions = unit(vectors)
    nearest = np.empty(len(directions), dtype=np.int64)
    for start in range(0, len(directions), block_rows):
        rows = np.arange(start, min(start + block_rows, len(directions)))
        cosine = directions[rows] @ directions.T
        cosine[np.arange(len(rows)), rows] = -np.inf
        nearest[rows] = cosine.argmax(axis=1)
    return nearest


def _join_first_neighbours(means: np.ndarray) -> np.ndarray:
    """Component of each row in the graph of first neighbours."""
    n = len(means)
    if n == 1:
        return np.zeros(1, dtype=np.int64)
    # Two rows with one first neighbour are connected through it: Eq. 1's third case needs no edge of its own.
    edges = coo_array((np.ones(n), (np.arange(n), nearest_by_cosine(means))), shape=(n, n))
    return connected_components(edges, directed=False)[1].astype(np.int64)


def _prepare(faces: TrackFaces, seed: int) -> Cut:
    partitions = first_neighbour_partitions(track_means(faces))

    def cut(partition: float) -> np.ndarray:
        if not partitions:
            return np.empty(0, dtype=np.int64)
        return partitions[min(int(partition), len(partitions)) - 1]

    return cut


FINCH = Baseline(
    name="FINCH",
    source="Sarfraz et al., CVPR 2019, Eq. 1 and Algorithm 1, on the cosine of the tracks' mean directions. Assumed: "
    "a title with fewer partitions than asked for gets its last one",
    prepare=_prepare,
    settings=tuple({"partition": k} for k in (1, 2, 3, 4)),
)
