"""Where one person's crops in a track give way to another's: an undetected cut or dissolve, a switch at an occlusion.

Base embeddings of a track's crops, in order of time, are cut into a first and a second part. Two hypotheses say how
alike the parts are: as strangers are (the network's calibration), or as the crops within the parts are. A blurred or
turned face moves away from its own track, too, but seldom as far as a stranger, seldom for two crops that still are
like one another, and seldom all at once; so both parts have to be coherent, and the odds have to outweigh how rare such
errors are.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from vcn_ray.cluster.evidence import Calibration

#: Fewer crops are no part: one bad crop never splits a track.
_LEAST_CROPS = 2
#: Prior odds that a track changes its person at a given place, of the order of what trackers get wrong.
_PRIOR_ODDS = 1e-3


def find_changes(directions: np.ndarray, calibration: Calibration) -> list[int]:
    """Positions of the crops with which another person begins, rising; none where the track is one person's.

    directions: (n, D) unit vectors of a track's crops in order of time. A part is cut again where it falls apart.
    """
    n = len(directions)
    sums = np.concatenate([np.zeros((1, directions.shape[1])), np.cumsum(directions.astype(np.float64), axis=0)])
    best, best_odds = 0, -np.log(_PRIOR_ODDS)
    for position in range(_LEAST_CROPS, n - _LEAST_CROPS + 1):
        odds = _log_odds(sums[position], position, sums[n] - sums[position], n - position, calibration)
        if odds > best_odds:
            best, best_odds = position, odds
    if not best:
        return []
    later = [best + position for position in find_changes(directions[best:], calibration)]
    return [*find_changes(directions[:best], calibration), best, *later]


def _log_odds(a: np.ndarray, count_a: int, b: np.ndarray, count_b: int, calibration: Calibration) -> float:
    """log p(similarity of the parts | two people) - log p(... | one), from sums of unit vectors; -inf if incoherent.

    A part is coherent where its crops are as alike as one person's tracks are on the average.
    """
    within = min(_mean_cosine(a, count_a), _mean_cosine(b, count_b))
    if within < calibration.same_mean:
        return -np.inf
    between = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    strangers = norm.logpdf(between, calibration.stranger_mean, calibration.stranger_std)
    return float(strangers - norm.logpdf(between, within, calibration.same_std))


def _mean_cosine(total: np.ndarray, count: int) -> float:
    """Mean cosine over the pairs of `count` unit vectors, from their sum."""
    return float((total @ total - count) / (count * (count - 1)))
