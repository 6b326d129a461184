"""CCL: a Siamese network that learns from the labels of a first clustering and from what the video says.

Sharma, Tapaswi, Sarfraz, Stiefelhagen, "Clustering based Contrastive Learning for Improving Face Representations",
FG 2020.
"""

from __future__ import annotations

import numpy as np

from vcn_ray.evaluate.baselines.first_neighbours import first_neighbour_partitions
from vcn_ray.evaluate.baselines.hac import track_means
from vcn_ray.evaluate.baselines.problem import Baseline, Cut, TrackFaces
from vcn_ray.evaluate.baselines.siamese import NETWORK_SOURCE, THRESHOLDS, Schedule, track_pairs, trained_cut

_SCHEDULE = Schedule(batch_pairs=32, epochs=100)


def clustered_pairs(faces: TrackFaces) -> tuple[np.ndarray, np.ndarray]:
    """Which tracks the first partition, corrected by the video, calls one person, and which two.

    Tracks of one cluster are one person unless they are seen together, all others are two.

    Returns (t, t) bool each, symmetric; the first with its diagonal, no pair in both.
    """
    labels = first_neighbour_partitions(track_means(faces))[0]
    same = (labels[:, None] == labels[None, :]) & ~faces.cannot_link
    np.fill_diagonal(same, True)
    return same, ~same


def _prepare(faces: TrackFaces, seed: int, schedule: Schedule = _SCHEDULE) -> Cut:
    draw = None
    if faces.tracks > 1:
        same, different = clustered_pairs(faces)
        # Two or three tracks may be one cluster, with nobody to tell them from.
        if different.any():
            draw = track_pairs(faces.track_of_crop, same, different, schedule.batch_pairs)
    return trained_cut(faces, draw, schedule, seed)


CCL = Baseline(
    name="CCL",
    source="Sharma et al., FG 2020: labels of FINCH's first partition (VideoClusterNet's supplement, 1.4; the authors "
    "the second), corrected by tracks that are seen together. Assumed, as the paper's text was not at hand: the "
    "tracks' means are clustered (a single crop's nearest neighbour is mostly of its own track, which would be "
    f"TSiam); network, batch and epochs as TSiam's, at most 5000 batches. {NETWORK_SOURCE}",
    prepare=_prepare,
    settings=THRESHOLDS,
    seeded=True,
)
