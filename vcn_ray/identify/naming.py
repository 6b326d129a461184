"""Who of a gallery each character is, or that it is nobody of the gallery, by the calibrated evidence.

What two faces' similarity is worth is known as for the cast of a season (`cluster.evidence`, `cluster.cast`): the
average cosine over all pairs of a character's tracks and a person's pictures, its log likelihood ratio counted
sqrt(pairs) times. What photographs do to a network that was calibrated on films is not known: a picture's clarity
enters, and nothing else about it.

Each character is one of the gallery's people, all equally likely before it is seen, or nobody of the gallery. What
share of the characters is in the gallery is not assumed but found, by expectation maximisation from the characters
themselves, under a prior of one that is and one that is not: who gives a gallery of the leads to a season with a
hundred extras is answered as well as who names them all. All characters are decided together, since two that are
seen at one time are two people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp

from vcn_ray.cluster.evidence import Evidence, pair_clarity, standardise
from vcn_ray.identify.references import References

_MOST_ROUNDS = 200
_SETTLED = 1e-6

#: Two people of less probability than that, together, to be one need not be kept from it.
_NEGLIGIBLE = 1e-9

#: Alternatives that are less probable are none.
_LEAST_ALTERNATIVE = 0.001

#: Share of a message's old value that it keeps, so that circles of characters seen together do not swing.
_DAMPING = 0.5


@dataclass(frozen=True)
class Posterior:
    """How probable it is that each of c characters is each of r people."""

    probability: np.ndarray  # (c, r + 1); the last column: nobody of the gallery
    share: float  # of the characters that are in the gallery


@dataclass(frozen=True)
class Verdict:
    """Who a character is."""

    reference: int | None  # None: nobody of the gallery, or not sure enough
    confidence: float  # probability of what is said
    alternatives: tuple[tuple[int | None, float], ...]  # the most probable others (None: nobody) with theirs


def log_ratios(mean: np.ndarray, tracks: np.ndarray, references: References, evidence: Evidence) -> np.ndarray:
    """log p(similarity | one person) - log p(similarity | strangers) of each character and reference, (c, r).

    mean: (c, D) of the characters' tracks' unit vectors; tracks: (c,) how many; 0 says nothing.
    """
    pairs = tracks[:, None] * references.pictures
    return np.sqrt(pairs) * pair_log_ratios(mean @ references.mean.T, references.clarity, evidence)


def pair_log_ratios(similarity: np.ndarray, clarity: np.ndarray, evidence: Evidence) -> np.ndarray:
    """The same of single pairs of a track and a picture: similarity (..., r), clarity of the pictures (r,).

    How clear a title's tracks are is not kept: they are taken for typical, and so are pictures of unknown clarity.
    """
    typical = evidence.calibration.typical_clarity
    both = pair_clarity(np.where(np.isnan(clarity), typical, clarity), np.array(typical))
    return evidence.log_likelihood_ratio(standardise(similarity, both, evidence.calibration), both)


def posterior(log_ratio: np.ndarray, together: np.ndarray, share: float | None = None) -> Posterior:
    """Probabilities of all characters at once.

    Args:
        log_ratio: (c, r), as `log_ratios` gives them; +inf for a person whom somebody named, -inf for whom it is not.
        together: (pairs, 2) int64 characters that are seen at one time: not one person.
        share: of characters that are in the gallery; None: found from these.

    Exact where no circle of characters is seen together, and near it elsewhere (belief propagation). Memory grows with
    pairs x people.
    """
    characters, people = log_ratio.shape
    if not characters or not people:
        return Posterior(np.tile(np.eye(1, people + 1, people), (characters, 1)), 0.0 if share is None else share)
    found = 0.5 if share is None else share
    evidence = np.clip(log_ratio, -1e6, 1e6)
    beliefs = _Beliefs(people, _that_matter(evidence, together))
    for _ in range(_MOST_ROUNDS):
        with_nobody = np.full((characters, 1), np.log1p(-found))
        weight = np.concatenate([evidence + np.log(found / people), with_nobody], axis=1)
        probability, moved = beliefs.update(weight)
        if share is None:
            before, found = found, float((1 - probability[:, -1]).sum() + 1) / (characters + 2)
            moved = max(moved, abs(found - before))
        if moved < _SETTLED:
            break
    return Posterior(probability, found)


def _that_matter(evidence: np.ndarray, together: np.ndarray) -> np.ndarray:
    """The pairs seen together, each once, but for those of which no two could be one person anyway.

    Nobody is never excluded, so whatever is excluded, somebody is at most as probable as against nobody alone.
    """
    characters, people = evidence.shape
    pairs = np.unique(np.sort(np.asarray(together, np.int64).reshape(-1, 2), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    at_most = expit(evidence + np.log((characters + 1) / people))  # by the largest share that can be found
    return pairs[[(at_most[a] * at_most[b]).max() > _NEGLIGIBLE for a, b in pairs]]


class _Beliefs:
    """Sum-product messages between characters that are seen together, in logarithms (Pearl 1988).

    What b tells c of a person is the probability that b, as far as others know it, is somebody else.
    """

    def __init__(self, people: int, pairs: np.ndarray):
        self._from = np.concatenate([pairs[:, 0], pairs[:, 1]])
        self._to = np.concatenate([pairs[:, 1], pairs[:, 0]])
        self._reverse = np.roll(np.arange(2 * len(pairs)), len(pairs))
        self._message = np.zeros((2 * len(pairs), people + 1))  # nobody is not exclusive: 0 for ever

    def update(self, weight: np.ndarray) -> tuple[np.ndarray, float]:
        """One round with log weights (c, r + 1); the probabilities after it, and how far a message moved (nats)."""
        belief = self._belief(weight)
        if not len(self._from):
            return _probability(belief), 0.0
        told = _log_not(belief[self._from] - self._message[self._reverse])
        told[:, -1] = 0
        new = _DAMPING * self._message + (1 - _DAMPING) * told
        moved = float(np.abs(new - self._message).max())
        self._message = new
        return _probability(self._belief(weight)), moved

    def _belief(self, weight: np.ndarray) -> np.ndarray:
        belief = weight.copy()
        np.add.at(belief, self._to, self._message)
        return belief


def _probability(belief: np.ndarray) -> np.ndarray:
    return np.exp(belief - logsumexp(belief, axis=1, keepdims=True))


def _log_not(belief: np.ndarray) -> np.ndarray:
    """log(1 - p) of each entry of rows of log weights; exact for the largest, too, where 1 - p would be rounding."""
    rows = np.arange(len(belief))
    largest = belief.argmax(axis=1)
    others = belief.copy()
    others[rows, largest] = -np.inf
    total = logsumexp(belief, axis=1)
    result = np.log1p(-np.minimum(np.exp(others - total[:, None]), 0.5))
    result[rows, largest] = logsumexp(others, axis=1) - total
    return result


def decide(
    probability: np.ndarray, together: np.ndarray, least: float = 0.5, most_alternatives: int = 3
) -> list[Verdict]:
    """A verdict on each character: a person where that is more probable than `least`, the most probable first.

    probability: (c, r + 1) as of a `Posterior`; together: as for `posterior`. Two characters that are seen together
    never get one person, whatever their probabilities; others may.
    """
    people = probability.shape[1] - 1
    apart: dict[int, set[int]] = {}
    for a, b in np.asarray(together, np.int64).reshape(-1, 2).tolist():
        apart.setdefault(a, set()).add(b)
        apart.setdefault(b, set()).add(a)
    given: dict[int, int] = {}
    characters, persons = np.nonzero(probability[:, :people] > least)
    surest = np.argsort(-probability[characters, persons], kind="stable")
    for character, person in zip(characters[surest].tolist(), persons[surest].tolist(), strict=True):
        if character not in given and all(given.get(other) != person for other in apart.get(character, ())):
            given[character] = person
    verdicts = []
    for character, row in enumerate(probability):
        said = given.get(character)
        order = np.argsort(-row, kind="stable")
        others = [int(r) for r in order if r != (people if said is None else said) and row[r] >= _LEAST_ALTERNATIVE]
        verdicts.append(
            Verdict(
                said,
                float(row[people if said is None else said]),
                tuple((None if r == people else r, float(row[r])) for r in others[:most_alternatives]),
            )
        )
    return verdicts
