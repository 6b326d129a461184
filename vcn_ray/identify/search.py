"""Where one person is among the characters of a season, or that the person is not there: an exact search.

Every character of the cast is weighed, and every Unknown track by itself, each by the evidence that also names
characters (`naming`). Before anything is compared the person is as likely to be in the season as not, and if so, as
likely to be any of these as any other: the more are searched, the more similar one has to be.
"""

from __future__ import annotations

import faiss
import numpy as np

from vcn_ray.cluster.evidence import Evidence
from vcn_ray.identify.naming import log_ratios, pair_log_ratios, posterior
from vcn_ray.identify.references import References

#: How many of a season's characters a person is expected to be, before anything is compared.
_EXPECTED = 0.5

#: Candidates are looked for a little below the similarity that counts, beyond the rounding of float32.
_SLACK = 1e-4


class PeopleIndex:
    """The people of a season in one network's space, ready to be searched by pictures.

    Args:
        mean: (n, D) mean of the unit vectors of each one's tracks.
        tracks: (n,) how many; one that has none is never found.
        together: (pairs, 2) int64 people that are seen at one time.
        of: how many people the whole season has, where other networks' are searched apart; None: n.
    """

    def __init__(self, mean: np.ndarray, tracks: np.ndarray, together: np.ndarray, of: int | None = None):
        self._mean, self._tracks, self._together = mean, tracks, np.asarray(together, np.int64).reshape(-1, 2)
        self._share = _EXPECTED / max(of or len(mean), 1)
        self._index = faiss.IndexFlatIP(mean.shape[1])
        self._index.add(np.ascontiguousarray(mean, np.float32))

    def find(self, person: References, evidence: Evidence) -> np.ndarray:
        """Probability (n,) that each is the person; 0 where the evidence does not speak for it at all.

        Several may be: a person whom clustering took for two. Not two that are seen together.

        person: a single reference; evidence: of the network.
        """
        probability = np.zeros(len(self._mean))
        lowest = lowest_similarity(person, evidence) - _SLACK
        _, _, found = self._index.range_search(np.ascontiguousarray(person.mean, np.float32), lowest)
        near = np.sort(found[self._tracks[found] > 0].astype(np.int64))
        at = np.full(len(self._mean), -1, np.int64)
        at[near] = np.arange(len(near))
        pairs = at[self._together]
        ratio = log_ratios(self._mean[near], self._tracks[near], person, evidence)
        probability[near] = posterior(ratio, pairs[(pairs >= 0).all(axis=1)], self._share).probability[:, 0]
        return probability


def lowest_similarity(person: References, evidence: Evidence) -> float:
    """The average cosine at which the evidence begins to speak for a person; 1 where it never does.

    By bisection: the ratio never falls as the similarity grows.
    """

    def speaks_for(similarity: float) -> bool:
        return float(pair_log_ratios(np.array([similarity]), person.clarity, evidence)[0]) > 0

    low, high = -1.0, 1.0
    if speaks_for(low):
        return low
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if speaks_for(middle) else (middle, high)
    return high
