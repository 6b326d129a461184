"""What a similarity is worth in this title: the evidence that two tracks are one character.

The paper's merging needs no threshold but, read literally, either chains or never merges (docs/method.md). Here the
cut comes from the title itself. The similarities of all pairs of tracks that may be linked are a mixture of two
groups, pairs of strangers and pairs of one character. What a face-ID network makes of either is known beforehand
(`calibration.Calibration`), by how clearly the faces are seen: two blurred profiles say little, whatever their
similarity. A title may shift the group of one character, since footage and casts differ, by as much as its pairs say
(maximum a posteriori, by expectation maximisation). How many pairs are of one character is left to the title
altogether. Where nearly all are strangers, a pair must be far more similar to be believed than where five people share
a hundred tracks.

Similarities are counted as `standardise` gives them: in spreads of strangers from their mean, at the pair's clarity.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import brentq

from vcn_ray.calibration import Calibration

#: One character's pairs of typical clarity lie at least this many spreads of the strangers above them.
_LEAST_SEPARATION = 2.0

#: A narrower spread of cosines is rounding, and no spread.
_LEAST_STD = 1e-6

#: The mixture is fitted to so many of a title's pairs at most, evenly spaced, each standing for as many.
_MOST_PAIRS = 1_000_000

#: What changes the curves with clarity.
_OF_CLARITY = ("stranger_mean_rise", "stranger_std_rise", "same_mean_slope", "same_std_slope")

#: The prior on the share weighs 20 pairs, one of them of one character: so a title of three tracks has an answer, too.
_PRIOR_PAIRS, _PRIOR_SAME_PAIRS = 20, 1

#: Where clarity says least, one character's pairs still lie this much (cosine) above strangers.
_LEAST_RISE = 0.03


def pair_clarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Clarity of pairs of tracks: the geometric mean of both tracks' clarity."""
    return np.sqrt(a * b)


def standardise(similarity: np.ndarray | float, clarity: np.ndarray | float, calibration: Calibration) -> np.ndarray:
    """Similarities (cosines) in standard deviations of strangers from their mean, at pairs of such clarity."""
    mean, std = strangers(clarity, calibration)
    return (similarity - mean) / std


def separation(clarity: np.ndarray | float, calibration: Calibration) -> np.ndarray:
    """How many spreads of strangers one person's pairs of such clarity lie above them on average."""
    mean, std = strangers(clarity, calibration)
    return np.maximum(one_person(clarity, calibration)[0] - mean, _LEAST_RISE) / std


def spread(clarity: np.ndarray | float, calibration: Calibration) -> np.ndarray:
    """Standard deviation of one person's pairs of such clarity, in spreads of strangers."""
    return one_person(clarity, calibration)[1] / strangers(clarity, calibration)[1]


def strangers(clarity: np.ndarray | float, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the cosine of two people's tracks, at pairs of such clarity."""
    dim = np.maximum(calibration.dim_clarity - _relative(clarity, calibration), 0)
    mean = calibration.stranger_mean + calibration.stranger_mean_rise * dim**2
    return mean, calibration.stranger_std * np.exp(calibration.stranger_std_rise * dim)


def one_person(clarity: np.ndarray | float, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the cosine of one person's tracks, at pairs of such clarity."""
    clearer = _relative(clarity, calibration) - 1
    mean = calibration.same_mean + calibration.same_mean_slope * clearer
    return mean, calibration.same_std * np.exp(calibration.same_std_slope * clearer)


def _relative(clarity: np.ndarray | float, calibration: Calibration) -> np.ndarray:
    c = calibration
    return np.clip(np.asarray(clarity) / c.typical_clarity, c.lowest_clarity, c.highest_clarity)


def without_clarity(calibration: Calibration) -> Calibration:
    """The calibration at typical clarity, for all pairs alike."""
    return calibration.model_copy(update=dict.fromkeys(_OF_CLARITY, 0.0))


def guess_calibration(similarities: np.ndarray, counts: np.ndarray | None = None) -> Calibration:
    """Calibration of an unknown network, from a title's linkable pairs, most of which must be strangers.

    Strangers: the median, and the spread below it. One character: as many of these spreads above as for SFace. What
    clarity does is unknown, so nothing depends on it. A title of one or two characters is beyond this guess: its
    median is no stranger's. similarities: (pairs,) cosines; counts: as for `fit_evidence`.
    """
    known = without_clarity(Calibration())
    weight = np.ones(len(similarities), np.int64) if counts is None else counts
    if weight.sum() < 2:
        return known
    mean, std = _median_and_spread_below(similarities, weight)
    std = std if std > _LEAST_STD else known.stranger_std
    unit = std / known.stranger_std
    same_mean = mean + (known.same_mean - known.stranger_mean) * unit
    places = {"stranger_mean": mean, "stranger_std": std, "same_mean": same_mean, "same_std": known.same_std * unit}
    return known.model_copy(update=places)


def _median_and_spread_below(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Median, as `np.median` has it, of values that occur so many times each, and the spread of those up to it."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(counts[order])
    middle = np.searchsorted(ends, [(ends[-1] - 1) // 2, ends[-1] // 2], side="right")
    median = float(values[order[middle]].mean())
    below = values <= median
    deviations = (values[below] - median) ** 2 * counts[below]
    return median, float(np.sqrt(deviations.sum() / counts[below].sum()))


@dataclass(frozen=True)
class Evidence:
    """Two Gaussians by clarity and the share of pairs that are one character: turns a similarity into log odds.

    All in units of `standardise`; values and clarity broadcast against one another.
    """

    calibration: Calibration = field(default_factory=Calibration)
    same_share: float = 0.1
    same_shift: float = 0.0  # of one character's mean
    same_widening: float = 1.0  # factor of its spread
    stranger_mean: float = 0.0
    stranger_std: float = 1.0
    least_concentration: float = 0.0  # see `concentration`
    sizes_in_prior: bool = True  # see `log_odds`

    def same_mean(self, clarity: np.ndarray | float) -> np.ndarray:
        """Mean of one character's pairs, always a little above the strangers'."""
        least = self.stranger_mean + _LEAST_RISE / self.calibration.stranger_std * self.stranger_std
        return np.maximum(separation(clarity, self.calibration) + self.same_shift, least)

    def log_likelihood_ratio(self, value: np.ndarray, clarity: np.ndarray | float) -> np.ndarray:
        """log p(value | one character) - log p(value | strangers), made monotone in the value.

        With different spreads the ratio of two Gaussians turns round far from their means, where it would call the
        least similar pairs one character; there it keeps the value of its turning point.
        """
        mean, std = self.same_mean(clarity), spread(clarity, self.calibration) * self.same_widening
        a, b = 1 / self.stranger_std**2, 1 / std**2
        difference = a - b
        alike = np.abs(difference) < 1e-9
        turn = (a * self.stranger_mean - b * mean) / np.where(alike, 1.0, difference)
        x = np.where(alike, value, np.where(difference > 0, np.maximum(value, turn), np.minimum(value, turn)))
        return _log_gauss(x, mean, std) - _log_gauss(x, self.stranger_mean, self.stranger_std)

    def probability(self, value: np.ndarray, clarity: np.ndarray | float) -> np.ndarray:
        """Probability that a pair drawn at random with this value is one character."""
        odds = self.log_likelihood_ratio(value, clarity) + self.prior_log_odds
        return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))

    @property
    def prior_log_odds(self) -> float:
        """log odds that a pair drawn at random is one character."""
        return float(np.log(self.same_share / (1 - self.same_share)))

    def log_odds(
        self, value: np.ndarray, clarity: np.ndarray, pairs: np.ndarray | float, larger: np.ndarray | float
    ) -> np.ndarray:
        """log odds that two clusters are one character.

        value: average over their pairs of tracks. pairs: the effective number of these; averages say more than single
        pairs, yet pairs of the same two clusters are not independent, so the ratio counts sqrt(pairs) times. larger:
        tracks of the larger cluster. As in a Chinese restaurant process, a track belongs to a character of n tracks n
        times as likely as to one of a single track; without `sizes_in_prior` every merge has the odds of two tracks.
        """
        prior = np.log(larger / self.concentration) if self.sizes_in_prior else self.prior_log_odds
        return np.sqrt(pairs) * self.log_likelihood_ratio(value, clarity) + prior

    @property
    def concentration(self) -> float:
        """Of the Chinese restaurant process: odds against two tracks drawn at random being one character, or more.

        A lead who has most of a title's tracks makes most pairs one character, which says nothing of the extras; the
        number of characters found may then ask for more (`crp_concentration`).
        """
        return max((1 - self.same_share) / self.same_share, self.least_concentration)


def fit_evidence(
    values: np.ndarray,
    clarity: np.ndarray | float,
    n_tracks: int,
    calibration: Calibration,
    counts: np.ndarray | None = None,
    *,
    shift: bool = True,
) -> Evidence:
    """Fit the mixture to a title's linkable pairs.

    values: (pairs,) as `standardise` gives them, cannot-link pairs left out; clarity: (pairs,) or of all; with
    `counts` (as long, int) different values and how many pairs have each. The strangers stay at the calibration; one
    character's mean is shifted, with the calibration as a prior that weighs one pair a track (without `shift` it stays
    there, too).

    If that puts one character's pairs of typical clarity nearer to the strangers than two of their spreads, it is the
    strangers who have moved (faces of one kind, dark footage), and calling them one character would merge the cast.
    Being most of the pairs, they are then found by their median and the spread below it.
    """
    values, clarity, weight = _thinned(values, clarity, counts)
    evidence = Evidence(calibration)
    if shift:
        evidence = _maximise(values, clarity, weight, n_tracks, evidence)
    else:
        evidence = fit_share(values, clarity, evidence, weight)
    typical = float(separation(calibration.typical_clarity, calibration))
    if weight.sum() > 1 and typical + evidence.same_shift < _LEAST_SEPARATION:
        mean, std = _median_and_spread_below(values, weight)
        std = max(std, 1e-6)
        if mean > 0:
            moved_by = max(0.0, mean + _LEAST_SEPARATION * std - typical)
            widening = max(1.0, std / float(spread(calibration.typical_clarity, calibration)))
            moved = Evidence(calibration, 0.1, moved_by, widening, mean, std)
            return fit_share(values, clarity, moved, weight)
    return evidence


def _maximise(
    values: np.ndarray, clarity: np.ndarray | float, counts: np.ndarray, n_tracks: int, evidence: Evidence
) -> Evidence:
    """Expectation maximisation of shift and share until nothing moves by more than 1e-7, 100 steps at most."""
    expected = np.broadcast_to(separation(clarity, evidence.calibration), values.shape)
    precision = np.broadcast_to(spread(clarity, evidence.calibration), values.shape) ** -2.0
    prior = n_tracks * float((precision * counts).sum()) / max(int(counts.sum()), 1)
    shift, share = evidence.same_shift, evidence.same_share
    for _ in range(100):
        before = shift, share
        now = Evidence(evidence.calibration, share, shift)
        same = now.probability(values, clarity) * counts
        share = _share(same, counts)
        weight = same * precision
        shift = float((weight * (values - expected)).sum() / (weight.sum() + prior)) if len(values) else 0.0
        if max(abs(shift - before[0]), abs(share - before[1])) < 1e-7:
            break
    return Evidence(evidence.calibration, share, shift)


def fit_share(
    values: np.ndarray, clarity: np.ndarray | float, evidence: Evidence, counts: np.ndarray | None = None
) -> Evidence:
    """The evidence with the share of pairs that are one character as these pairs have it; arguments as before."""
    values, clarity, weight = _thinned(values, clarity, counts)
    e = evidence
    for _ in range(100):
        share = _share(e.probability(values, clarity) * weight, weight)
        moved = abs(share - e.same_share)
        e = replace(e, same_share=share)
        if moved < 1e-7:
            break
    return e


def with_known_pairs(evidence: Evidence, pairs: int, known: int) -> Evidence:
    """The evidence, its share fitted to so many pairs, with others counted in that are known to be one character."""
    if not known:
        return evidence
    weight = pairs + _PRIOR_PAIRS
    return replace(evidence, same_share=(evidence.same_share * weight + known) / (weight + known))


def _thinned(
    values: np.ndarray, clarity: np.ndarray | float, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | float, np.ndarray]:
    """Values, clarity and counts of at most `_MOST_PAIRS` pairs."""
    if counts is not None:
        return values, clarity, counts
    step = max(1, -(-len(values) // _MOST_PAIRS))
    few = values[::step]
    return few, clarity[::step] if isinstance(clarity, np.ndarray) else clarity, np.full(len(few), step, np.int64)


def crp_concentration(characters: int, tracks: int) -> float:
    """Concentration of the Chinese restaurant process that expects so many characters among so many tracks.

    Solves characters = c log(1 + tracks / c), which rises with c from 0 to `tracks`; 1 <= characters. Where every track
    is a character of its own no finite one would do: then that of half a character fewer.
    """
    wanted = min(characters, tracks - 0.5)
    return float(brentq(lambda c: c * np.log1p(tracks / c) - wanted, 1e-9, max(1e9, 2.0 * tracks**2)))


def _share(same: np.ndarray, counts: np.ndarray) -> float:
    return float((same.sum() + _PRIOR_SAME_PAIRS) / (counts.sum() + _PRIOR_PAIRS))


def _log_gauss(x: np.ndarray, mean: np.ndarray | float, std: np.ndarray | float) -> np.ndarray:
    return -0.5 * ((x - mean) / std) ** 2 - np.log(std)
