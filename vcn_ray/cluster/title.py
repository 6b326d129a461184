"""Quality, filter and clustering of a title's tracks after an iteration: the paper's way and the robust one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vcn_ray.cluster.evidence import Calibration, Evidence, fit_evidence, fuse, guess_calibration
from vcn_ray.cluster.linkage import link_by_evidence
from vcn_ray.cluster.literal import merge_literally
from vcn_ray.cluster.matching import gaussian_matches, member_matches
from vcn_ray.cluster.quality import quality_threshold, track_quality
from vcn_ray.cluster.similarity import cosine_matrix
from vcn_ray.config import ClusterOptions

LOW_QUALITY = "low quality: its faces are recognised too unsteadily, and no character is near enough"


@dataclass(frozen=True)
class CropOutputs:
    """What base and adapted network say of a title's n crops, in k views each."""

    track_of_crop: np.ndarray  # (n,) position of the crop's track
    base: np.ndarray  # (n, D) embedding by the base model
    adapted: np.ndarray  # (n, D) student output; the base model's own before any adaptation
    stochastic: np.ndarray  # (n, m, D) student outputs of m passes with dropout
    views: np.ndarray  # (n, k, D) student outputs of the crop's views
    probabilities: np.ndarray  # (n, k, D) softmax((e - c) / temp) of the views
    log_probabilities: np.ndarray  # (n, k, D) log softmax(e) of the views


@dataclass(frozen=True)
class Clustering:
    """Clusters of a title's tracks: labels 0.. or -1 for Unknown, and what led to them."""

    labels: np.ndarray  # (tracks,) int64
    quality: np.ndarray  # (tracks,) 0..1
    kept: np.ndarray  # (tracks,) bool: passed the quality filter
    group: np.ndarray  # (tracks,) int64: tracks of one group train together in the next iteration; -1: not trained
    matched_pairs: int  # pairs of different tracks that match


def cluster_title(
    outputs: CropOutputs,
    n_tracks: int,
    cannot_link: np.ndarray,
    options: ClusterOptions,
    calibration: Calibration | None,
    *,
    adapted: bool,
) -> Clustering:
    """Judge, filter, cluster and match a title's tracks (S Alg. 1, stage 3 and the end of each iteration).

    cannot_link: (n_tracks, n_tracks) bool, symmetric; every track has at least one crop. `adapted` says whether the
    student has been trained at all; before, the base model stands alone. `calibration` is the base model's, None where
    it is not known.
    """
    quality = track_quality(outputs.stochastic, outputs.track_of_crop, n_tracks)
    kept = quality >= quality_threshold(quality, options.quality_deviation, options.quality_factor)
    if options.merging == "literal":
        rows, track_of_row = _view_rows(outputs, kept)
        labels = np.full(n_tracks, -1, np.int64)
        labels[kept] = merge_literally(
            _flat(outputs.probabilities)[rows], _flat(outputs.log_probabilities)[rows], track_of_row, int(kept.sum())
        )
    else:
        labels = _cluster_by_evidence(outputs, kept, cannot_link, calibration, adapted, options.low_quality)
    matches = _matches(outputs, labels, kept, options)
    # A track's partners are drawn from all that it is connected with: members of a cluster are so anyway, and
    # Gaussian matches are far from transitive, which the paper leaves open.
    _, component = connected_components(coo_array(matches), directed=False)
    group = np.where(kept, component, -1).astype(np.int64)
    return Clustering(labels, quality, kept, group, int(matches.sum()) // 2)


def _cluster_by_evidence(
    outputs: CropOutputs,
    kept: np.ndarray,
    cannot_link: np.ndarray,
    calibration: Calibration | None,
    adapted: bool,
    low_quality: str,
) -> np.ndarray:
    """Cluster the kept tracks by evidence, then attach the others to a character where the evidence suffices.

    Low-quality tracks so neither make characters of their own nor blur good ones.
    """
    n = len(kept)
    linkable = np.triu(~cannot_link & kept[:, None] & kept[None], 1)
    similarity = cosine_matrix(outputs.base, outputs.track_of_crop, n)
    if calibration is None:
        calibration = guess_calibration(similarity[linkable])
    evidence = fit_evidence(similarity[linkable], int(kept.sum()), calibration)
    if adapted:
        student = cosine_matrix(outputs.adapted, outputs.track_of_crop, n)
        fused = fuse(similarity, evidence, student, linkable)
        if fused is not None:
            similarity, calibration = fused
            evidence = fit_evidence(similarity[linkable], int(kept.sum()), calibration)
    labels = np.full(n, -1, np.int64)
    labels[kept] = link_by_evidence(similarity[np.ix_(kept, kept)], cannot_link[np.ix_(kept, kept)], evidence)
    if low_quality == "unknown":
        return labels
    attached = labels.copy()
    for track in map(int, np.flatnonzero(~kept)):
        attached[track] = _nearest(track, similarity, cannot_link, labels, evidence)
    # Two low-quality tracks seen together cannot both be one character; neither is then known to be.
    for track in map(int, np.flatnonzero(~kept & (attached >= 0))):
        if (cannot_link[track] & ~kept & (attached == attached[track])).any():
            labels[track] = -1
        else:
            labels[track] = attached[track]
    return labels


def _nearest(
    track: int, similarity: np.ndarray, cannot_link: np.ndarray, labels: np.ndarray, evidence: Evidence
) -> int:
    """The cluster of highest average similarity that the track may join and the evidence speaks for, else -1."""
    best, best_similarity = -1, -np.inf
    for cluster in range(int(labels.max(initial=-1)) + 1):
        members = labels == cluster
        average = similarity[track, members].mean()
        if average <= best_similarity or cannot_link[track, members].any():
            continue
        odds = np.sqrt(members.sum()) * evidence.log_likelihood_ratio(average) + evidence.prior_log_odds
        if odds > 0:
            best, best_similarity = cluster, average
    return best


def _matches(outputs: CropOutputs, labels: np.ndarray, kept: np.ndarray, options: ClusterOptions) -> np.ndarray:
    if options.matching == "members":
        return member_matches(np.where(kept, labels, -1))
    rows, track_of_row = _view_rows(outputs, kept)
    matches = np.zeros((len(kept), len(kept)), bool)
    matches[np.ix_(kept, kept)] = gaussian_matches(_flat(outputs.views)[rows], track_of_row, int(kept.sum()))
    return matches


def _view_rows(outputs: CropOutputs, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the flattened views that belong to kept tracks, and the position of each one's track among these."""
    track = np.repeat(outputs.track_of_crop, outputs.views.shape[1])
    rows = np.flatnonzero(kept[track])
    return rows, (np.cumsum(kept) - 1)[track[rows]]


def _flat(views: np.ndarray) -> np.ndarray:
    return views.reshape(-1, views.shape[-1])
