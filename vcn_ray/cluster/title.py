"""Quality, filter and clustering of a title's tracks after an iteration, by whichever clusterer was chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.character_confidence import CharacterConfidence
from vcn_ray.cluster.clusterer import Clusterer, CropOutputs, TitleFaces
from vcn_ray.cluster.links import Links
from vcn_ray.cluster.matching import matched_groups
from vcn_ray.cluster.quality import quality_threshold, track_quality
from vcn_ray.config import ClusterOptions

LOW_QUALITY = "low quality: its faces are recognised too unsteadily"
SAID_TO_BE_NOBODY = "said to be no face, or nobody in particular"
SAID_TO_BE_ANOTHER = "said to be another person than the character that it was found in"


@dataclass(frozen=True)
class Clustering:
    """Clusters of a title's tracks: labels 0.. or -1 for Unknown, and what led to them."""

    labels: np.ndarray  # (tracks,) int64
    confidence: np.ndarray  # (tracks,) probability of the label; NaN: Unknown, or the clusterer knows none
    reason: list[str | None]  # (tracks) why Unknown; None where clustered
    quality: np.ndarray  # (tracks,) 0..1
    kept: np.ndarray  # (tracks,) bool: passed the quality filter
    group: np.ndarray  # (tracks,) int64: tracks of one group train together in the next iteration; -1: not trained
    matched_pairs: int  # pairs of different tracks that match
    characters: CharacterConfidence | None = None  # of each track's cluster; None: the clusterer knows none


def cluster_title(
    outputs: CropOutputs,
    n_tracks: int,
    cannot_link: np.ndarray,
    options: ClusterOptions,
    calibration: Calibration | None,
    clusterer: Clusterer,
    *,
    adapted: bool,
    seed: int = 0,
    links: Links | None = None,
    earlier: tuple[np.ndarray, ...] = (),
    threads: int = 1,
) -> Clustering:
    """Judge, filter, cluster and match a title's tracks (S Alg. 1, stage 3 and the end of each iteration).

    Args:
        outputs: of all crops; every track has at least one.
        n_tracks: tracks of the title.
        cannot_link: (pairs, 2) int64 positions of tracks that are two people, in any order.
        options: of quality, filter and matching; the clusterer sees them, too.
        calibration: the base model's; None where it is not known.
        clusterer: finds the characters; `clusterers.table.find_clusterer` gives the one that the options name.
        adapted: whether the student has been trained at all; before, the base model stands alone.
        seed: of what the clusterer draws.
        links: what people said, which holds whatever the clusterer finds; None: nothing. `ValueError` where that joins
            two tracks that were seen together.
        earlier: of each adapted iteration before, (n_tracks, D) mean directions of the tracks by its student.
        threads: that a method for many tracks may use; the result does not depend on it.
    """
    quality = track_quality(outputs.stochastic, outputs.track_of_crop, n_tracks)
    said = links or Links.none(n_tracks)
    kept = ~said.left_out
    kept &= quality >= quality_threshold(quality[kept], options.quality_deviation, options.quality_factor)
    title = TitleFaces(outputs, kept, cannot_link, calibration, options, adapted, seed, said, earlier, threads)
    found = clusterer.cluster(title)
    labels = said.hold(found.labels, cannot_link)
    confidence = np.where((labels >= 0) & (found.labels >= 0), found.confidence, np.nan)
    reason = [
        None if label >= 0 else found.left_out if good else LOW_QUALITY
        for label, good in zip(labels, kept, strict=True)
    ]
    for track in np.flatnonzero((labels < 0) & (said.left_out | (found.labels >= 0))).tolist():
        reason[track] = SAID_TO_BE_NOBODY if said.left_out[track] else SAID_TO_BE_ANOTHER
    speaking = kept if found.speaking is None else kept & found.speaking
    group, pairs = _groups(outputs, labels, kept, speaking, options, said, cannot_link)
    characters = None if found.characters is None else found.characters.where(labels >= 0)
    return Clustering(labels, confidence, reason, quality, kept, group, pairs, characters)


def _groups(
    outputs: CropOutputs,
    labels: np.ndarray,
    kept: np.ndarray,
    speaking: np.ndarray,
    options: ClusterOptions,
    said: Links,
    cannot_link: np.ndarray,
) -> tuple[np.ndarray, int]:
    """Group of each track (-1: filtered or left out) for the next iteration, and the number of pairs that match.

    "members": the kept tracks of a cluster, those alone that are `speaking`; the rest train by themselves. "gaussian"
    and "mutual": tracks connected by the paper's matches (P 3.5), which are not transitive; the paper does not say
    whether a match of a match trains along, nor whether one direction is enough. All are held to what people said,
    which makes no filtered track steady enough to train on.
    """
    if options.matching == "members":
        members = np.bincount(labels[speaking & (labels >= 0)], minlength=labels.max(initial=-1) + 1)
        alone = np.where(speaking & (labels >= 0), labels, len(members) + np.arange(len(labels)))
        return np.where(kept, alone, -1), int((members * (members - 1)).sum()) // 2
    track_of_view = np.repeat(outputs.track_of_crop, outputs.views.shape[1])
    rows = np.flatnonzero(kept[track_of_view])
    flat = outputs.views.reshape(-1, outputs.views.shape[-1])[rows]
    group = np.full(len(kept), -1, np.int64)
    track_of_row = (np.cumsum(kept) - 1)[track_of_view[rows]]
    group[kept], pairs = matched_groups(flat, track_of_row, int(kept.sum()), mutual=options.matching == "mutual")
    return np.where(kept, said.hold(group, cannot_link), -1), pairs
