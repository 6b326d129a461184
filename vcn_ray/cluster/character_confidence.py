"""How probable it is that a character is one person, and that it is a person at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import linkage, to_tree
from scipy.spatial.distance import squareform
from scipy.special import expit

from vcn_ray.cluster.evidence import Evidence

#: Beyond these nothing was fitted.
_MOST_LOG_ODDS = 25.0
_CLARITY = -0.5, 0.3  # log of a clarity by the network's typical one
_MOST_TRACKS = 5


@dataclass(frozen=True)
class CharacterConfidence:
    """What is known of the characters that n tracks are of; NaN for tracks of none, and where nothing is known."""

    one_person: np.ndarray  # (n,) probability that the tracks of this one's character are one person's
    is_person: np.ndarray  # (n,) that one of them at least shows somebody: no heap of blurs, backs of heads, or things

    @classmethod
    def unknown(cls, n: int) -> CharacterConfidence:
        """Nothing is known."""
        return cls(np.full(n, np.nan), np.full(n, np.nan))

    def where(self, known: np.ndarray) -> CharacterConfidence:
        """The same for these tracks, (n,) bool, alone."""
        return CharacterConfidence(*(np.where(known, p, np.nan) for p in (self.one_person, self.is_person)))


@dataclass(frozen=True)
class CharacterReliance:
    """How far to trust what a character's tracks say of it: two logistic regressions.

    One person, by the log odds between the two halves that the average linkage of the character's tracks joins last:
    if it were two people, these would be the two. The more they are, the less each says, hence their root. A
    person, by the clearest track (blurs and backs of heads have none that is clear) and the number of tracks (things
    are alike in nothing). The numbers were fitted to labelled footage (docs/method.md, 3).
    """

    one_constant: float = -0.80
    of_root_odds: float = 1.29  # per root of the log odds between the halves, these kept within 0 and 25
    person_constant: float = 2.40
    of_clarity: float = 7.50  # per unit of log(clearest track / typical clarity), kept within -0.5 and 0.3
    of_tracks: float = 1.09  # per unit of log(tracks), these being 5 at most

    def one_person(self, log_odds_between_halves: float) -> float:
        """Probability that all tracks are one person's; +inf: of a single track, which is one person's."""
        if np.isposinf(log_odds_between_halves):
            return 1.0
        kept = np.clip(log_odds_between_halves, 0, _MOST_LOG_ODDS)
        return float(expit(self.one_constant + self.of_root_odds * np.sqrt(kept)))

    def is_person(self, clearest: float, tracks: int) -> float:
        """Probability that it is a person; clearest: clarity of the clearest track, by the network's typical one."""
        clear = np.clip(np.log(clearest), *_CLARITY)
        several = np.log(min(tracks, _MOST_TRACKS))
        return float(expit(self.person_constant + self.of_clarity * clear + self.of_tracks * several))


def character_confidence(
    similarity: np.ndarray,
    clarity: np.ndarray,
    labels: np.ndarray,
    evidence: Evidence,
    typical_clarity: float | None,
    reliance: CharacterReliance = CharacterReliance(),
) -> CharacterConfidence:
    """What the evidence says of each track's character.

    similarity: (n, n) in the evidence's units; clarity: (n,), above 0; labels: (n,) int64, -1 for Unknown;
    typical_clarity: of faces by this network, None where it is not known: nor is then what is a person.
    """
    of_cluster = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0]).tolist()]

    def among(tracks: np.ndarray) -> np.ndarray:
        return similarity[np.ix_(tracks, tracks)]

    return confidence_of_characters(of_cluster, among, clarity, evidence, typical_clarity, reliance)


def confidence_of_characters(
    members: Sequence[np.ndarray],
    similarity: Callable[[np.ndarray], np.ndarray],
    clarity: np.ndarray,
    evidence: Evidence,
    typical_clarity: float | None,
    reliance: CharacterReliance = CharacterReliance(),
    most_compared: int | None = None,
) -> CharacterConfidence:
    """The same where there is no matrix of all tracks.

    members: tracks of each character; similarity: gives (m, m) that of such tracks, (m,); most_compared: of a character
    of more tracks so many, evenly spaced, say whether it falls into two halves; the rest as before.
    """
    found = CharacterConfidence.unknown(len(clarity))
    for own in members:
        few = own[:: -(-len(own) // most_compared)] if most_compared else own
        halves = log_odds_between_halves(similarity(few), clarity[few], evidence)
        found.one_person[own] = reliance.one_person(halves)
        if typical_clarity is not None:
            found.is_person[own] = reliance.is_person(float(clarity[own].max()) / typical_clarity, len(own))
    return found


def log_odds_between_halves(similarity: np.ndarray, clarity: np.ndarray, evidence: Evidence) -> float:
    """log odds that the two clusters of tracks that average linkage joins last are one character.

    similarity: (n, n) symmetric, in the evidence's units; clarity: (n,), above 0; n >= 1. inf for a single track.
    """
    if len(clarity) == 1:
        return np.inf
    distance = similarity.max() - similarity.astype(np.float64)
    np.fill_diagonal(distance, 0)
    last = to_tree(linkage(squareform(distance, checks=False), "average"))
    first, second = last.get_left().pre_order(), last.get_right().pre_order()
    a, b = clarity[first].astype(np.float64), clarity[second].astype(np.float64)
    value = a @ similarity[np.ix_(first, second)] @ b / (a.sum() * b.sum())
    pairs = np.prod([w.sum() ** 2 / (w @ w) for w in (a, b)])
    of_pairs = np.sqrt(np.prod([w @ w / w.sum() for w in (a, b)]))
    return float(evidence.log_odds(value, of_pairs, pairs, max(len(a), len(b))))
