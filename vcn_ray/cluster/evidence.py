"""What a similarity is worth in this title: the evidence that two tracks are one character.

The paper's merging needs no threshold but, read literally, either chains or never merges (docs/method.md). Here the
cut comes from the title itself. The similarities of all pairs of tracks that may be linked are a mixture of two
groups, pairs of strangers and pairs of one character. How strangers' similarities spread is a property of the face-ID
network, known beforehand (`Calibration`); how similar one character's tracks are depends on the footage, so that group
starts at the network's usual place and moves to where the title's pairs say (maximum a posteriori, by expectation
maximisation); how many pairs are of one character is left to the title altogether. Where nearly all are strangers, a
pair must be far more similar to be believed than where five people share a hundred tracks.
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
    similarities: np.ndarray, n_tracks: int, calibration: Calibration, *, prior_pairs_per_track: float = 1.0
) -> Evidence:
    """Fit the mixture to the similarities of a title's linkable pairs.

    similarities: (pairs,), cannot-link pairs left out. The strangers' group stays at the calibration; the other is
    fitted with the calibration as a prior that weighs `prior_pairs_per_track` * n_tracks pairs. 100 steps of
    expectation maximisation from the calibration: deterministic, and far past convergence.
    """
    c = calibration
    mean, std, share = c.same_mean, c.same_std, 0.1
    weight = prior_pairs_per_track * n_tracks
    for _ in range(100):
        evidence = Evidence(c.stranger_mean, c.stranger_std, mean, std, share)
        odds = evidence.log_likelihood_ratio(similarities) + evidence.prior_log_odds
        same = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        total = same.sum()
        # The prior on the share weighs 20 pairs at 5 %, so that a title of three tracks has an answer too.
        share = float((total + 1) / (len(similarities) + 20))
        mean = float((weight * c.same_mean + (same * similarities).sum()) / (weight + total))
        variance = (weight * c.same_std**2 + (same * (similarities - mean) ** 2).sum()) / (weight + total)
        std = float(np.sqrt(variance))
    return Evidence(c.stranger_mean, c.stranger_std, mean, std, share)


def _log_gauss(x: np.ndarray, mean: float, std: float) -> np.ndarray:
    return -0.5 * ((x - mean) / std) ** 2 - np.log(std)
