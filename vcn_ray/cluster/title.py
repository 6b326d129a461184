"""Quality, filter and clustering of a title's tracks after an iteration: the paper's way and the robust one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vcn_ray.cluster.evidence import Calibration, Evidence, fit_evidence, fuse, guess_calibration
from vcn_ray.cluster.linkage import link_by_evidence
from vcn_ray.cluster.literal import merge_literally
from vcn_ray.cluster.matching import gaussian_matches
from vcn_ray.cluster.quality import quality_threshold, track_quality
from vcn_ray.cluster.similarity import cosine_matrix
from vcn_ray.config import ClusterOptions

LOW_QUALITY = "low quality: its faces are recognised too unsteadily, and no character is near enough"


@dataclass(frozen=True)
class CropOutputs:
    """What base and adapted network say of a title's n crops; `views` in k views of each."""

    track_of_crop: np.ndarray  # (n,) position of the crop's track
    base: np.ndarray  # (n, D) embedding by the base model
    adapted: np.ndarray  # (n, D) student output; the base model's own before any adaptation
    stochastic: np.ndarray  # (n, m, D) student outputs of m passes with dropout
    views: np.ndarray  # (n, k, D) student outputs of the crop's views; k = 0 where nothing asks for them
    probabilities: np.ndarray  # (n, D) softmax((e - c) / teacher_temperature)
    log_probabilities: np.ndarray  # (n, D) log softmax(e / student_temperature)


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
        rows = np.flatnonzero(kept[outputs.track_of_crop])
        track_of_row = (np.cumsum(kept) - 1)[outputs.track_of_crop[rows]]
        labels = np.full(n_tracks, -1, np.int64)
        labels[kept] = merge_literally(
            outputs.probabilities[rows], outputs.log_probabilities[rows], track_of_row, int(kept.sum())
        )
    else:
        labels = _cluster_by_evidence(outputs, kept, cannot_link, calibration, adapted, options.low_quality)
    group, pairs = _groups(outputs, labels, kept, options)
    return Clustering(labels, quality, kept, group, pairs)


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


def _groups(
    outputs: CropOutputs, labels: np.ndarray, kept: np.ndarray, options: ClusterOptions
) -> tuple[np.ndarray, int]:
    """Group of each track (-1: filtered out) for the next iteration, and the number of pairs that match.

    Robust: the kept members of a cluster (X 6). Paper: tracks connected by Gaussian matches, which are not transitive;
    the paper does not say whether a match of a match trains along.
    """
    if options.matching == "members":
        members = np.bincount(labels[kept & (labels >= 0)])
        # A kept track outside all clusters would train alone.
        alone = np.where(labels >= 0, labels, len(members) + np.arange(len(labels)))
        return np.where(kept, alone, -1), int((members * (members - 1)).sum()) // 2
    track_of_view = np.repeat(outputs.track_of_crop, outputs.views.shape[1])
    rows = np.flatnonzero(kept[track_of_view])
    flat = outputs.views.reshape(-1, outputs.views.shape[-1])[rows]
    matches = gaussian_matches(flat, (np.cumsum(kept) - 1)[track_of_view[rows]], int(kept.sum()))
    group = np.full(len(kept), -1, np.int64)
    group[kept] = connected_components(coo_array(matches), directed=False)[1]
    return group, int(matches.sum()) // 2
