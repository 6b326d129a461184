"""Base and adapted network heard together: one similarity of tracks, and the evidence that goes with it.

An adapted network has no place known beforehand for strangers and one character, and left to itself it confirms its own
errors: what it was trained on as one character becomes one. So the base model always has a say, and its evidence tells
where both groups lie in the adapted space: each pair counts for either group as much as the base model believes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import (
    Evidence,
    fit_evidence,
    fit_share,
    guess_calibration,
    pair_clarity,
    separation,
    spread,
    standardise,
    without_clarity,
)

#: How much the adapted network has to say. It has seen this title alone, and was taught by what was found before: in a
#: title of 670 tracks half is too much (docs/method.md, 3).
ADAPTED_SHARE = 1 / 3

#: As `fuse`.
Fuse = Callable[[np.ndarray, np.ndarray, Evidence, np.ndarray, np.ndarray], tuple[np.ndarray, Evidence] | None]


@dataclass(frozen=True)
class Sights:
    """How the networks see n tracks."""

    direction: np.ndarray  # (n, D) by the base model, length one
    clarity: np.ndarray  # (n,) above 0
    students: tuple[np.ndarray, ...]  # of each adapted iteration, (n, D) directions; none before any adaptation

    def of(self, tracks: np.ndarray) -> Sights:
        """The same for these tracks, (m,), alone."""
        return Sights(self.direction[tracks], self.clarity[tracks], tuple(x[tracks] for x in self.students))


@dataclass(frozen=True)
class Heard:
    """What both networks together say of the pairs of n tracks."""

    similarity: np.ndarray  # (n, n)
    evidence: Evidence  # in units of the similarity
    calibration: Calibration
    base: np.ndarray  # (n, n) the base model's part of it, as `standardise` gives it
    student: np.ndarray | None  # (n, n) mean cosine by the students; None where they have no say


def hear(
    sights: Sights,
    linkable: np.ndarray,
    n_tracks: int,
    calibration: Calibration | None,
    fuse: Fuse,
    *,
    by_clarity: bool = True,
    shift: bool = True,
) -> Heard:
    """Similarities of tracks and what they are worth.

    linkable: (n, n) bool, upper triangle: pairs that place the curves; n_tracks: of these pairs; calibration: None is
    guessed; by_clarity, shift: as ingredients of `EvidenceClusterer`.
    """
    clarities = pair_clarity(sights.clarity[:, None], sights.clarity[None])
    cosine = sights.direction @ sights.direction.T
    calibration = calibration or guess_calibration(cosine[linkable])
    known = calibration if by_clarity else without_clarity(calibration)
    base = standardise(cosine, clarities, known)
    evidence = fit_evidence(base[linkable], clarities[linkable], n_tracks, known, shift=shift)
    if sights.students:
        # What the iterations before saw counts as much: each forgets something, and together they settle.
        student = sum(x.astype(np.float64) @ x.T for x in sights.students) / len(sights.students)
        fused = fuse(base, clarities, evidence, student, linkable)
        if fused is not None:
            return Heard(fused[0], fused[1], known, base, student)
    return Heard(base, evidence, known, base, None)


def fuse(
    values: np.ndarray,
    clarity: np.ndarray,
    evidence: Evidence,
    adapted: np.ndarray,
    linkable: np.ndarray,
    *,
    characters_once: bool = True,
) -> tuple[np.ndarray, Evidence] | None:
    """Similarities of tracks by base and adapted network together, and their evidence.

    Both are counted in spreads of strangers from their mean, and averaged, the adapted one by `ADAPTED_SHARE`. Places
    and spreads in the fused space are those of the pairs weighted by the base model's evidence; one character's with
    one pair a track at the base model's own place as a prior, and over all pairs not narrower than strangers.

    values: (n, n) by the base model, as `standardise` gives them; clarity: (n, n) of the pairs; evidence: of the base
    model; adapted: (n, n) cosines by the adapted network; linkable: (n, n) bool, upper triangle without cannot-link
    pairs; characters_once: strangers are placed by characters, each counting once, else by tracks. Returns None where
    the title has too few strangers (less than one pair a track) to place them (one character alone) or where the
    adapted network gives one answer for all: the base model's evidence then stands by itself.
    """
    pair_clarity = clarity[linkable]
    same = evidence.probability(values[linkable], pair_clarity)
    stranger = 1 - same
    n_tracks = int((linkable.any(axis=0) | linkable.any(axis=1)).sum())
    if stranger.sum() < max(n_tracks, 1):
        return None
    # Each character counts once, however many its tracks: else a lead's pairs with the rest would place all strangers.
    size = expected_tracks(same, linkable) if characters_once else np.ones(len(linkable))
    once = stranger / (size[:, None] * size[None])[linkable]
    mean, std = weighted_mean_and_std(adapted[linkable], once)
    if std < 1e-6:
        return None
    by_base, by_adapted = (values - evidence.stranger_mean) / evidence.stranger_std, (adapted - mean) / std
    fused = (1 - ADAPTED_SHARE) * by_base + ADAPTED_SHARE * by_adapted
    stranger_mean, stranger_std = weighted_mean_and_std(fused[linkable], once)
    # Where the base model has one character's pairs, and how it spreads them, in its own strangers' spreads.
    place = (evidence.same_mean(pair_clarity) - evidence.stranger_mean) / evidence.stranger_std
    usual = spread(pair_clarity, evidence.calibration)
    own = usual * evidence.same_widening / evidence.stranger_std
    weight = same.sum()
    offset = (same * (fused[linkable] - place)).sum() / (weight + n_tracks)
    ratio = ((same * ((fused[linkable] - place - offset) / own) ** 2).sum() + n_tracks) / (weight + n_tracks)
    narrowest = stranger_std / np.sqrt((same * usual**2).sum() / weight)
    shift = float((place - separation(pair_clarity, evidence.calibration)).mean() + offset)
    widening = float(max(np.sqrt(ratio) * evidence.same_widening / evidence.stranger_std, narrowest))
    found = Evidence(evidence.calibration, evidence.same_share, shift, widening, stranger_mean, stranger_std)
    return fused, fit_share(fused[linkable], pair_clarity, found)


def expected_tracks(same: np.ndarray, linkable: np.ndarray) -> np.ndarray:
    """How many tracks each track's character is expected to have, itself included, (n,).

    same: (pairs,) probability that each linkable pair is one character; linkable: (n, n) bool, upper triangle.
    """
    mates = np.zeros(linkable.shape)
    mates[linkable] = same
    return 1 + mates.sum(0) + mates.sum(1)


def weighted_mean_and_std(x: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of values (n,) by their weights (n,)."""
    mean = (weight * x).sum() / weight.sum()
    return float(mean), float(np.sqrt((weight * (x - mean) ** 2).sum() / weight.sum()))
