"""Density-based clustering of the tracks' mean embeddings: DBSCAN and HDBSCAN, from scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn import cluster

from vcn_ray.evaluate.baselines.hac import cosine_distances, track_means
from vcn_ray.evaluate.baselines.labels import by_appearance
from vcn_ray.evaluate.baselines.problem import Baseline, Cut, TrackFaces


def _prepare_dbscan(faces: TrackFaces, seed: int) -> Cut:
    distances = cosine_distances(track_means(faces))

    def cut(max_distance: float, min_samples: float) -> np.ndarray:
        if len(distances) == 0:
            return np.empty(0, dtype=np.int64)
        model = cluster.DBSCAN(eps=max_distance, min_samples=int(min_samples), metric="precomputed")
        return by_appearance(model.fit_predict(distances))

    return cut


def _prepare_hdbscan(faces: TrackFaces, seed: int) -> Cut:
    distances = cosine_distances(track_means(faces))

    def cut(min_samples: float) -> np.ndarray:
        tracks = len(distances)
        if tracks < 2:
            return np.full(tracks, -1, dtype=np.int64)  # too few to be dense anywhere
        model = cluster.HDBSCAN(
            min_cluster_size=2, min_samples=min(int(min_samples), tracks), metric="precomputed", copy=True
        )
        return by_appearance(model.fit_predict(distances))

    return cut


DBSCAN = Baseline(
    name="DBSCAN",
    source="Ester et al., KDD 1996; scikit-learn, cosine distance of the tracks' mean directions. Assumed: a track "
    "counts among its own neighbours, so that with min_samples 1 nothing is noise and with 2 single tracks are",
    prepare=_prepare_dbscan,
    settings=tuple(
        {"max_distance": round(0.04 * k, 2), "min_samples": min_samples}
        for min_samples in (1, 2, 3)
        for k in range(5, 23)
    ),
    noise=True,
)

HDBSCAN = Baseline(
    name="HDBSCAN",
    source="Campello et al., PAKDD 2013; scikit-learn, cosine distance of the tracks' mean directions, "
    "min_cluster_size 2, excess of mass, never one single cluster (scikit-learn's defaults)",
    prepare=_prepare_hdbscan,
    settings=tuple({"min_samples": k} for k in (1, 2, 3, 4, 5)),
    noise=True,
)
