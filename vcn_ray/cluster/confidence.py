"""How probable it is that a track belongs to the character it was given: what a person should look at first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, softmax

from vcn_ray.cluster.evidence import Evidence

#: Tracks weighed at once: bounds the memory of titles with many characters.
_BLOCK_TRACKS = 512

#: Beyond these nothing was fitted.
_LEAST_POSTERIOR = 1e-4
_LIKENESS = -5.0, 8.0


@dataclass(frozen=True)
class Reliance:
    """How far the evidence is to be trusted: logistic regression of "the label is right" on what it says of a track.

    The posterior by itself is sure of too much, above all in a small title whose few pairs misled all of it at once. A
    member is right if it shows whom most of its cluster show; a track alone, if nobody else of the title is that
    person. Fitted to labelled footage of all sizes, checked on footage left out (docs/method.md, 3).
    """

    constant: float = 0.60
    of_posterior: float = 0.097  # per unit of the posterior's log odds
    of_likeness: float = 0.454  # per unit of log likelihood ratio of a single pair
    constant_alone: float = 0.51
    of_posterior_alone: float = 0.50

    def probability(self, posterior: np.ndarray, likeness: np.ndarray, alone: np.ndarray) -> np.ndarray:
        """Probability (n,) that a label is right; arguments as in `WeighedLabels`."""
        posterior = logit(np.clip(posterior, _LEAST_POSTERIOR, 1 - _LEAST_POSTERIOR))
        of_member = self.constant + self.of_posterior * posterior + self.of_likeness * np.clip(likeness, *_LIKENESS)
        return expit(np.where(alone, self.constant_alone + self.of_posterior_alone * posterior, of_member))


def assignment_probability(
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
    group: np.ndarray | None = None,
    reliance: Reliance = Reliance(),
) -> np.ndarray:
    """Probability (n,) that each track's label is right, NaN for Unknown tracks; arguments as for `weigh_labels`."""
    weighed = weigh_labels(similarity, clarity, labels, cannot_link, evidence, group)
    return np.where(labels >= 0, reliance.probability(*weighed), np.nan)


class WeighedLabels(NamedTuple):
    """What the evidence says of each track's label; (n,) each, numbers NaN where a track has none."""

    posterior: np.ndarray  # probability, were the evidence to be trusted
    likeness: np.ndarray  # log likelihood ratio that one pair as similar as the track is to its cluster would have
    alone: np.ndarray  # bool: the track, or its group, is all of its cluster


def weigh_labels(
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
    group: np.ndarray | None = None,
) -> WeighedLabels:
    """Weigh each track's label, all else staying as it is.

    The track is taken out of its cluster and weighed against every cluster that it may join, its old one among them,
    and against being a character of its own, by the evidence that also decides merges. A track that is alone in its
    cluster has the posterior of being nobody else. Tracks of one group, which a person said to be one, are taken out
    and weighed together: each has the group's posterior.

    similarity: (n, n) in the evidence's units; clarity: (n,), above 0; labels: (n,) int64, -1 for Unknown;
    cannot_link: (n, n) bool; group: (n,) int64, tracks of one number have one label, None: no two are of one.
    """
    posterior, likeness = np.full(len(labels), np.nan), np.full(len(labels), np.nan)
    known = np.flatnonzero(labels >= 0)
    size = np.bincount(labels[known], minlength=1)
    alone = (labels >= 0) & (size[labels] == 1)
    for start in range(0, len(known), _BLOCK_TRACKS):
        rows = known[start : start + _BLOCK_TRACKS]
        odds, ratio = _weigh(rows, similarity, clarity, labels, cannot_link, evidence)
        own = np.arange(len(rows)), labels[rows]
        with_none = np.concatenate([odds, np.zeros((len(rows), 1))], axis=1)  # the last: a character of its own
        posterior[rows] = softmax(with_none, axis=1)[own[0], np.where(alone[rows], odds.shape[1], own[1])]
        likeness[rows] = ratio[own]
    if group is not None:
        for number in np.flatnonzero(np.bincount(group[known]) > 1):
            rows = known[group[known] == number]
            label = labels[rows[0]]
            by_itself = size[label] == len(rows)
            of_group = np.append(_log_odds_of_group(rows, similarity, clarity, labels, cannot_link, evidence), 0.0)
            posterior[rows] = softmax(of_group)[-1 if by_itself else label]
            likeness[rows] = likeness[rows].mean()
            alone[rows] = by_itself
    return WeighedLabels(posterior, likeness, alone)


def log_odds_of_clusters(
    rows: np.ndarray,
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
) -> np.ndarray:
    """log odds that some tracks belong to each cluster, each weighed as if it were in none.

    rows: (r,) which tracks; the rest as for `assignment_probability`. Returns (r, clusters), -inf where a track may not
    join, or would join nobody.
    """
    return _weigh(rows, similarity, clarity, labels, cannot_link, evidence)[0]


def _weigh(
    rows: np.ndarray,
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
) -> tuple[np.ndarray, np.ndarray]:
    """As `log_odds_of_clusters`; and the log likelihood ratio that one pair as similar as their average would have."""
    count = int(labels.max(initial=-1)) + 1
    known = np.flatnonzero(labels >= 0)
    member = np.zeros((len(labels), count))
    member[known, labels[known]] = 1
    weight = member * clarity[:, None]
    # Sums over each cluster, without the track itself.
    tracks = member.sum(0) - member[rows]
    weights = weight.sum(0) - weight[rows]
    squares = (weight**2).sum(0) - weight[rows] ** 2
    others = similarity[rows].astype(np.float64)
    others[np.arange(len(rows)), rows] = 0
    totals = others @ weight
    possible = (tracks > 0.5) & ~(cannot_link[rows].astype(np.float64) @ member > 0)
    row, cluster = np.nonzero(possible)
    total = weights[row, cluster]
    average = totals[row, cluster] / total
    of_pairs = np.sqrt(clarity[rows[row]] * squares[row, cluster] / total)
    odds, ratio = (np.full((len(rows), count), -np.inf) for _ in range(2))
    odds[row, cluster] = evidence.log_odds(average, of_pairs, total**2 / squares[row, cluster], tracks[row, cluster])
    ratio[row, cluster] = evidence.log_likelihood_ratio(average, of_pairs)
    return odds, ratio


def _log_odds_of_group(
    rows: np.ndarray,
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    cannot_link: np.ndarray,
    evidence: Evidence,
) -> np.ndarray:
    """log odds (clusters,) that tracks (r,) together belong to each cluster; the rest as `log_odds_of_clusters`."""
    count = int(labels.max()) + 1
    others = np.setdiff1d(np.flatnonzero(labels >= 0), rows)
    weight = clarity[rows].astype(np.float64)
    square = np.ix_(rows, others)
    of_track = [
        np.ones(len(others)),
        clarity[others],
        clarity[others] ** 2,
        clarity[others] * (weight @ similarity[square]),
        cannot_link[square].any(axis=0),
    ]
    tracks, weights, squares, totals, apart = (np.bincount(labels[others], x, count) for x in of_track)
    may = (tracks > 0) & (apart == 0)
    odds = np.full(count, -np.inf)
    odds[may] = evidence.log_odds(
        totals[may] / (weights[may] * weight.sum()),
        np.sqrt(weight @ weight / weight.sum() * squares[may] / weights[may]),
        weight.sum() ** 2 / (weight @ weight) * weights[may] ** 2 / squares[may],
        np.maximum(tracks[may], len(rows)),
    )
    return odds
