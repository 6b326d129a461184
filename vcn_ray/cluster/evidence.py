"""What a similarity is worth in this title: the evidence that two tracks are one character.

The paper's merging needs no threshold but, read literally, either chains or never merges (docs/method.md). Here the
cut comes from the title itself. The similarities of all pairs of tracks that may be linked are a mixture of two
groups, pairs of strangers and pairs of one character. How strangers' similarities spread is a property of the face-ID
network, known beforehand (`Calibration`). How similar one character's tracks are depends on the footage, which can
only blur them apart: that group starts at the network's usual place and moves down and widens as far as the title's
pairs say (maximum a posteriori, by expectation maximisation). How many pairs are of one character is left to the title
altogether. Where nearly all are strangers, a pair must be far more similar to be believed than where five people share
a hundred tracks.

An adapted network has no such known place. `fuse` carries the calibration over: the base model's evidence says how much
each pair counts for either group, and that weighting of the same pairs tells where the groups lie in the new space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """Mean and standard deviation of the cosine between mean embeddings of tracks, of strangers and of one person."""

    stranger_mean: float = 0.10
    stranger_std: float = 0.11
    same_mean: float = 0.52
    same_std: float = 0.15


#: Calibration of face-ID networks by the SHA-256 of their weights. SFace: measured over the pairs of tracks of labelled
#: rendered and real footage, 640x360 to 1280x720 (docs/method.md); its makers' own threshold, 0.363, lies midway.
KNOWN_CALIBRATIONS = {
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee": Calibration(),
}


#: One character's pairs lie at least this many spreads of the strangers above them.
_LEAST_SEPARATION = 2.0


def guess_calibration(similarities: np.ndarray, counts: np.ndarray | None = None) -> Calibration:
    """Calibration of an unknown network, from a title's linkable pairs, most of which must be strangers.

    Strangers: the median, and the spread below it. One character: as many of these spreads above as for SFace. A title
    of one or two characters is beyond this guess: its median is no stranger's. counts: as for `fit_evidence`.
    """
    known = Calibration()
    weight = np.ones(len(similarities), np.int64) if counts is None else counts
    if weight.sum() < 2:
        return known
    mean = _median(similarities, weight)
    below = similarities <= mean
    deviations = (similarities[below] - mean) ** 2 * weight[below]
    std = float(np.sqrt(deviations.sum() / weight[below].sum())) or known.stranger_std
    unit = std / known.stranger_std
    same_mean = mean + (known.same_mean - known.stranger_mean) * unit
    return Calibration(mean, std, same_mean, known.same_std * unit)


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    """Median of values that occur so many times each, as `np.median` has it."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(counts[order])
    middle = np.searchsorted(ends, [(ends[-1] - 1) // 2, ends[-1] // 2], side="right")
    return float(values[order[middle]].mean())


@dataclass(frozen=True)
class Evidence:
    """Two Gaussians and the share of pairs that are one character: turns a similarity into log odds."""

    stranger_mean: float
    stranger_std: float
    same_mean: float
    same_std: float
    same_share: float

    def log_likelihood_ratio(self, similarity: np.ndarray) -> np.ndarray:
        """log p(similarity | one character) - log p(similarity | strangers), made monotone.

        With different spreads the ratio of two Gaussians turns round far from their means, where it would call the
        least similar pairs one character; there it keeps the value of its turning point.
        """
        low, high = self._turning_points()
        x = np.clip(similarity, low, high)
        return _log_gauss(x, self.same_mean, self.same_std) - _log_gauss(x, self.stranger_mean, self.stranger_std)

    def probability(self, similarity: np.ndarray) -> np.ndarray:
        """Probability that a pair of this similarity is one character."""
        odds = self.log_likelihood_ratio(similarity) + self.prior_log_odds
        return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))

    @property
    def prior_log_odds(self) -> float:
        """log odds that a pair drawn at random is one character."""
        return float(np.log(self.same_share / (1 - self.same_share)))

    def _turning_points(self) -> tuple[float, float]:
        a, b = 1 / self.stranger_std**2, 1 / self.same_std**2
        if np.isclose(a, b):
            return -np.inf, np.inf
        turn = (a * self.stranger_mean - b * self.same_mean) / (a - b)
        return (turn, np.inf) if a > b else (-np.inf, turn)


def fit_evidence(
    similarities: np.ndarray, n_tracks: int, calibration: Calibration, counts: np.ndarray | None = None
) -> Evidence:
    """Fit the mixture to the similarities of a title's linkable pairs.

    similarities: (pairs,), cannot-link pairs left out; with `counts` (as long, int) different similarities and how
    many pairs have each. The strangers' group stays at the calibration; the other is
    fitted with the calibration as a prior that weighs one pair a track, its mean never above the calibration's and its
    spread never below.

    If that puts one character's pairs nearer to the strangers than two of their spreads, it is the strangers who have
    moved (faces of one kind, dark footage), and calling them one character would merge the cast. Being most of the
    pairs, they are then found as `guess_calibration` finds them.
    """
    weight = np.ones(len(similarities), np.int64) if counts is None else counts
    evidence = _maximise(similarities, weight, n_tracks, calibration)
    nearest = calibration.stranger_mean + _LEAST_SEPARATION * calibration.stranger_std
    if weight.sum() > 1 and evidence.same_mean < nearest:
        guess = guess_calibration(similarities, weight)
        mean, std = guess.stranger_mean, guess.stranger_std
        if mean > calibration.stranger_mean:
            same_mean = max(calibration.same_mean, mean + _LEAST_SEPARATION * std)
            moved = Calibration(mean, std, same_mean, max(calibration.same_std, std))
            return _maximise(similarities, weight, n_tracks, moved)
    return evidence


def _maximise(similarities: np.ndarray, counts: np.ndarray, n_tracks: int, calibration: Calibration) -> Evidence:
    """Expectation maximisation from the calibration until nothing moves by more than 1e-7, 100 steps at most."""
    c = calibration
    mean, std, share = c.same_mean, c.same_std, 0.1
    for _ in range(100):
        before = np.array([mean, std, share])
        evidence = Evidence(c.stranger_mean, c.stranger_std, mean, std, share)
        same = evidence.probability(similarities) * counts
        total = same.sum()
        # The prior on the share weighs 20 pairs at 5 %, so that a title of three tracks has an answer too.
        share = float((total + 1) / (counts.sum() + 20))
        fitted = (n_tracks * c.same_mean + (same * similarities).sum()) / (n_tracks + total)
        mean = float(min(fitted, c.same_mean))
        variance = (n_tracks * c.same_std**2 + (same * (similarities - mean) ** 2).sum()) / (n_tracks + total)
        std = float(max(np.sqrt(variance), c.same_std))
        if np.abs(before - [mean, std, share]).max() < 1e-7:
            break
    return Evidence(c.stranger_mean, c.stranger_std, mean, std, share)


def fuse(
    base: np.ndarray, evidence: Evidence, adapted: np.ndarray, linkable: np.ndarray
) -> tuple[np.ndarray, Calibration] | None:
    """Similarity of tracks by base and adapted network together, and its calibration.

    Each similarity is counted in standard deviations of strangers from their mean, and the two are averaged. Where the
    strangers lie in the adapted space, and where both groups lie in the fused one, is the mean and spread of the pairs
    weighted by the base model's evidence, with one pair a track at the base model's own place as a prior.

    base, adapted: (n, n) similarities; evidence: of the base; linkable: (n, n) bool, upper triangle without
    cannot-link pairs. Returns None where the title has too few strangers (less than one pair a track) to place them:
    one character alone; the base model's evidence then stands by itself.
    """
    same = evidence.probability(base[linkable])
    stranger = 1 - same
    if stranger.sum() < len(base):
        return None
    mean, std = _weighted(adapted[linkable], stranger)
    if std < 1e-6:  # the adapted network gives one answer for all: it has nothing to add
        return None
    fused = ((base - evidence.stranger_mean) / evidence.stranger_std + (adapted - mean) / std) / 2
    prior = len(base), (evidence.same_mean - evidence.stranger_mean) / evidence.stranger_std
    same_mean, same_std = _weighted(fused[linkable], same, *prior, evidence.same_std / evidence.stranger_std)
    stranger_mean, stranger_std = _weighted(fused[linkable], stranger)
    return fused, Calibration(stranger_mean, stranger_std, same_mean, max(same_std, stranger_std))


def _weighted(
    x: np.ndarray, weight: np.ndarray, prior_weight: float = 0.0, prior_mean: float = 0.0, prior_std: float = 0.0
) -> tuple[float, float]:
    """Mean and standard deviation of weighted values, with a prior that counts as so much weight."""
    total = weight.sum() + prior_weight
    mean = ((weight * x).sum() + prior_weight * prior_mean) / total
    variance = ((weight * (x - mean) ** 2).sum() + prior_weight * prior_std**2) / total
    return float(mean), float(np.sqrt(variance))


def _log_gauss(x: np.ndarray, mean: float, std: float) -> np.ndarray:
    return -0.5 * ((x - mean) / std) ** 2 - np.log(std)
