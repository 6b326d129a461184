"""Cluster labels in the form that every baseline gives them."""

from __future__ import annotations

import numpy as np


def by_appearance(labels: np.ndarray) -> np.ndarray:
    """Number the clusters 0, 1, ... in order of their first item; negative labels (no cluster) become -1.

    Args:
        labels: (n,) integers.

    Returns (n,) int64. Two labellings of one partition give the same result.
    """
    labels = np.asarray(labels, dtype=np.int64)
    values, first, index = np.unique(labels, return_index=True, return_inverse=True)
    number = np.full(len(values), -1, dtype=np.int64)
    clusters = np.flatnonzero(values >= 0)
    number[clusters[np.argsort(first[clusters])]] = np.arange(len(clusters))
    return number[index]
