"""Where one person's crops in a track give way to another's: an undetected cut or dissolve, a switch at an occlusion.

Base embeddings of a track's crops, in order of time, are cut into parts. Two hypotheses say how alike two parts are
that follow one another: as strangers are (the network's calibration), or as the crops within them are. A blurred or
turned face moves away from its own track, too, but seldom as far as a stranger, seldom for two crops that still are
like one another, and seldom all at once; so all parts have to be coherent, and the odds of each change have to
outweigh how rare such errors are.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from vcn_ray.calibration import Calibration

#: Fewer crops are no part: one bad crop never splits a track.
_LEAST_CROPS = 2
#: Prior odds that a track changes its person at a given place, of the order of what trackers get wrong.
_PRIOR_ODDS = 1e-3


def find_changes(directions: np.ndarray, calibration: Calibration) -> list[int]:
    """Positions of the crops with which another person begins, rising; none where the track is one person's.

    Of all ways to cut the track into coherent parts with a change between any two in a row, the one of highest odds in
    sum, by dynamic programming over the last part; coherent is a part whose crops are as alike as one person's tracks
    are on the average.

    directions: (n, D) unit vectors of a track's crops in order of time.
    """
    n = len(directions)
    vectors = directions.astype(np.float64)
    sums = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors, axis=0)])
    # of the part from crop `start` up to `end`, that one left out: its mean cosine, and its odds as the last part
    within = np.full((n + 1, n + 1), -np.inf)
    odds = np.full((n + 1, n + 1), -np.inf)
    before = np.zeros((n + 1, n + 1), np.int64)
    for end in range(_LEAST_CROPS, n + 1):
        for start in range(end - _LEAST_CROPS, -1, -1):
            part, count = sums[end] - sums[start], end - start
            within[start, end] = (part @ part - count) / (count * (count - 1))
            if within[start, end] < calibration.same_mean:
                continue
            if start == 0:
                odds[start, end] = 0.0
                continue
            earlier = np.flatnonzero(odds[:start, start] > -np.inf)
            if len(earlier):
                others = sums[start] - sums[earlier]
                between = others @ part / (np.linalg.norm(others, axis=1) * np.linalg.norm(part))
                alike = np.minimum(within[earlier, start], within[start, end])
                change = _log_odds(between, alike, calibration)
                total = odds[earlier, start] + np.where(change > 0, change, -np.inf)
                best = int(np.argmax(total))
                odds[start, end], before[start, end] = total[best], earlier[best]
    changes: list[int] = []
    start, end = int(np.argmax(odds[1:, n])) + 1 if n else 0, n
    if n == 0 or odds[start, n] <= 0:
        return []
    while start > 0:
        changes.append(start)
        start, end = int(before[start, end]), start
    return changes[::-1]


def _log_odds(between: np.ndarray, within: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Posterior log odds that parts of such cosines between them (k,) are two people, their crops so alike within."""
    strangers = norm.logpdf(between, calibration.stranger_mean, calibration.stranger_std)
    return strangers - norm.logpdf(between, within, calibration.same_std) + np.log(_PRIOR_ODDS)
