"""Quality, filter and clustering of a title's tracks after an iteration: the paper's way and the robust one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.confidence import assignment_probability, log_odds_of_clusters
from vcn_ray.cluster.evidence import (
    Evidence,
    fit_evidence,
    guess_calibration,
    pair_clarity,
    separation,
    standardise,
)
from vcn_ray.cluster.fusing import fuse
from vcn_ray.cluster.linkage import find_characters
from vcn_ray.cluster.literal import merge_literally
from vcn_ray.cluster.matching import gaussian_matches
from vcn_ray.cluster.quality import quality_threshold, track_quality
from vcn_ray.cluster.similarity import cosine_matrix, directions_and_clarity
from vcn_ray.config import ClusterOptions

LOW_QUALITY = "low quality: its faces are recognised too unsteadily"
LOW_QUALITY_ALONE = f"{LOW_QUALITY}, and no character is near enough"
UNCLEAR = "unclear: at such clarity anybody looks like anybody, and no character is near enough"

#: A lone track is no character if one person's pairs of its clarity lie less than so many spreads above strangers,
#: and its clarity is below such a share of the title's median: in dark footage throughout, everybody is unclear.
_LEAST_SEPARATION = 0.5
_LEAST_CLARITY = 0.7


@dataclass(frozen=True)
class CropOutputs:
    """What base and adapted network say of a title's n crops; `views` in k views of each."""

    track_of_crop: np.ndarray  # (n,) position of the crop's track
    base: np.ndarray  # (n, D) raw embedding by the base model, whose length tells how clear the face is
    adapted: np.ndarray  # (n, D) student output; the base model's own before any adaptation
    stochastic: np.ndarray  # (n, m, D) student outputs of m passes with dropout
    views: np.ndarray  # (n, k, D) student outputs of the crop's views; k = 0 where nothing asks for them
    probabilities: np.ndarray  # (n, D) softmax((e - c) / teacher_temperature)
    log_probabilities: np.ndarray  # (n, D) log softmax(e / student_temperature)


@dataclass(frozen=True)
class Clustering:
    """Clusters of a title's tracks: labels 0.. or -1 for Unknown, and what led to them."""

    labels: np.ndarray  # (tracks,) int64
    confidence: np.ndarray  # (tracks,) probability of the label; NaN for Unknown tracks and where merging is literal
    reason: list[str | None]  # (tracks) why Unknown; None where clustered
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
        confidence = np.full(n_tracks, np.nan)
    else:
        labels, confidence = _cluster_by_evidence(outputs, kept, cannot_link, calibration, adapted, options)
    reason = [
        None if label >= 0 else UNCLEAR if good else LOW_QUALITY for label, good in zip(labels, kept, strict=True)
    ]
    group, pairs = _groups(outputs, labels, kept, options)
    return Clustering(labels, confidence, reason, quality, kept, group, pairs)


def _cluster_by_evidence(
    outputs: CropOutputs,
    kept: np.ndarray,
    cannot_link: np.ndarray,
    calibration: Calibration | None,
    adapted: bool,
    options: ClusterOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster the kept tracks by evidence, then attach the others to a character where the evidence suffices.

    Low-quality tracks so neither make characters of their own nor blur good ones. Returns labels and confidence.
    """
    n = len(kept)
    linkable = np.triu(~cannot_link & kept[:, None] & kept[None], 1)
    direction, clarity = directions_and_clarity(outputs.base, outputs.track_of_crop, n)
    clarities = pair_clarity(clarity[:, None], clarity[None])
    cosine = direction @ direction.T
    if calibration is None:
        calibration = guess_calibration(cosine[linkable])
    similarity = standardise(cosine, clarities, calibration)
    evidence = fit_evidence(similarity[linkable], clarities[linkable], int(kept.sum()), calibration)
    if adapted:
        student = cosine_matrix(outputs.adapted, outputs.track_of_crop, n)
        fused = fuse(similarity, clarities, evidence, student, linkable)
        if fused is not None:
            similarity, evidence = fused
    least = float(np.log(options.false_merge_cost))
    labels = np.full(n, -1, np.int64)
    part = np.ix_(kept, kept)
    labels[kept], evidence = find_characters(similarity[part], clarity[kept], cannot_link[part], evidence, least)
    if options.low_quality == "attach":
        labels = _attach(similarity, clarity, cannot_link, labels, evidence, least)
    lone = np.flatnonzero(labels >= 0)
    lone = lone[np.bincount(labels[lone])[labels[lone]] == 1]
    unclear = clarity[lone] < _LEAST_CLARITY * np.median(clarity[kept])
    labels[lone[unclear & (separation(clarity[lone], calibration) < _LEAST_SEPARATION)]] = -1
    known = labels >= 0
    labels[known] = np.unique(labels[known], return_inverse=True)[1]
    return labels, assignment_probability(similarity, clarity, labels, cannot_link, evidence)


def _attach(
    similarity: np.ndarray,
    clarity: np.ndarray,
    cannot_link: np.ndarray,
    labels: np.ndarray,
    evidence: Evidence,
    least_log_odds: float,
) -> np.ndarray:
    """Labels (n,) with the tracks that have none (-1) in the character they belong to, if the evidence suffices.

    Two of them that are seen together cannot both be one character; neither is then known to be.
    """
    rest = np.flatnonzero(labels < 0)
    given = np.full(len(labels), -1, np.int64)
    if len(rest) and (labels >= 0).any():
        odds = log_odds_of_clusters(rest, similarity, clarity, labels, cannot_link, evidence)
        given[rest] = np.where(odds.max(axis=1) > least_log_odds, odds.argmax(axis=1), -1)
    clash = (cannot_link & (given[:, None] == given[None]) & (given >= 0)).any(axis=1)
    return np.where((labels < 0) & ~clash, given, labels)


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
