"""How probable it is that two people are one, and whom a track shows, by the base model's embeddings.

The evidence is that which matches the cast (`cluster.cast_matching`): averages over pairs of tracks, worth what the
network's calibration and the season's own pairs say. A person is the sum of their tracks' unit vectors, so nothing
needs a matrix of tracks by tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit, ndtr

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.cast_matching import TitleCharacters, log_likelihood_ratio, season_similarities
from vcn_ray.cluster.evidence import Evidence, fit_evidence, guess_calibration, standardise
from vcn_ray.corrections.found_tracks import FoundTracks

#: The evidence is fitted to the pairs of so many tracks, drawn from more.
_FITTED_TRACKS = 4000

#: Similarities, -1 to 1, are looked up in a table of so many steps.
_STEPS = 4096

#: Averages of so many pairs say as much as more would: faces of one person err in one direction.
_MOST_PAIRS = 64.0

#: What the spread of a person's tracks is taken for before any is seen, in tracks that say so.
_PRIOR_TRACKS = 4.0


class Likeness:
    """What the tracks of a season look like, and what that is worth.

    Args:
        found: the tracks.
        embedding: (n, D) float32, length one; zeros where a track has none.
        calibration: of the network; None where unknown.
    """

    def __init__(self, found: FoundTracks, embedding: np.ndarray, calibration: Calibration | None):
        self.found = found
        self.embedding = np.ascontiguousarray(embedding, np.float32)
        self.known = np.einsum("nd,nd->n", self.embedding, self.embedding) > 0.5
        self.evidence = _evidence(found, self.embedding, self.known, calibration)
        steps = np.linspace(-1, 1, _STEPS)
        self._ratio = log_likelihood_ratio(self.evidence, steps).astype(np.float32)
        self._kept: dict[bytes, np.ndarray] = {}

    def ratio(self, similarity: np.ndarray) -> np.ndarray:
        """Log likelihood ratio of similarities, by the table."""
        step = ((similarity + 1) * ((_STEPS - 1) / 2) + 0.5).astype(np.int32)
        return self._ratio[np.clip(step, 0, _STEPS - 1)]

    def compare(self, people: Sequence[np.ndarray]) -> Comparison:
        """How the tracks stand to these people (rows of each); what did not change since the last call is kept."""
        kept = {rows.tobytes(): rows for rows in people}
        odds = np.empty((len(people), len(self.embedding)), np.float32)
        for number, (key, rows) in enumerate(kept.items()):
            if key not in self._kept:
                self._kept[key] = self._log_odds(rows)
            odds[number] = self._kept[key]
        for key in set(self._kept) - set(kept):
            del self._kept[key]
        return Comparison(self, list(people), odds)

    def _log_odds(self, rows: np.ndarray) -> np.ndarray:
        """(n,) log odds that each track is of the person of these rows; of their own, as if it were not theirs yet."""
        own = rows[self.known[rows]]
        total = self.embedding @ self.embedding[own].sum(axis=0)
        count = np.full(len(total), len(own), np.float32)
        total[own] -= 1
        count[own] -= 1
        some = np.maximum(count, 1)
        odds = np.sqrt(np.minimum(some, _MOST_PAIRS)) * self.ratio(total / some) + self._prior(some)
        odds[(count < 1) | ~self.known] = -np.inf
        return odds

    def _prior(self, tracks: np.ndarray | float) -> np.ndarray:
        """Log odds that a track is of a person of so many, before anything is seen: a Chinese restaurant process."""
        return np.log(np.asarray(tracks, np.float32) / np.float32(self.evidence.concentration))

    def pair_log_odds(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """(p, p) log odds that people are one, from the sums (p, D) and the numbers (p,) of their tracks."""
        pairs = np.maximum(np.outer(counts, counts), 1)
        odds = np.sqrt(np.minimum(pairs, _MOST_PAIRS)) * self.ratio(sums @ sums.T / pairs)
        odds = odds + self.evidence.prior_log_odds
        odds[(counts < 1), :] = -np.inf
        odds[:, (counts < 1)] = -np.inf
        return odds


@dataclass(eq=False)
class Comparison:
    """Tracks and people of one moment held against each other."""

    likeness: Likeness
    people: list[np.ndarray]  # rows of each
    log_odds: np.ndarray  # (p, n) float32 that a track is of a person; -inf where nothing is known

    @cached_property
    def person(self) -> np.ndarray:
        """(n,) whom each track is of, as index into `people`; -1: nobody."""
        person = np.full(self.log_odds.shape[1], -1, np.int64)
        for number, rows in enumerate(self.people):
            person[rows] = number
        return person

    @cached_property
    def together(self) -> np.ndarray:
        """(p, p) bool: whether two people are seen at one time."""
        a, b = self.person[self.likeness.found.together].T
        both = (a >= 0) & (b >= 0) & (a != b)
        seen = np.zeros((len(self.people), len(self.people)), bool)
        seen[a[both], b[both]] = seen[b[both], a[both]] = True
        return seen

    @cached_property
    def pair_probability(self) -> np.ndarray:
        """(p, p) probability that two people are one; 0 for those seen together, and of each with themselves."""
        sums, counts = self._sums
        probability = expit(self.likeness.pair_log_odds(sums, counts).astype(np.float64))
        probability[self.together] = 0
        np.fill_diagonal(probability, 0)
        return probability

    @cached_property
    def possible(self) -> np.ndarray:
        """(p, n) float32 `log_odds`, -inf also where a track is seen with one of the person's."""
        odds = self.log_odds.copy()
        for a, b in (self.likeness.found.together.T, self.likeness.found.together.T[::-1]):
            elsewhere = (self.person[a] >= 0) & (self.person[a] != self.person[b])
            odds[self.person[a[elsewhere]], b[elsewhere]] = -np.inf
        return odds

    def probabilities(self, rows: np.ndarray, forbidden: Sequence[tuple[int, int]] = ()) -> np.ndarray:
        """(p, rows) probability that each of some tracks is of each person; what is missing to 1 is somebody else.

        forbidden: (person, track) of which somebody has said that it is not so.
        """
        odds = self.possible[:, rows].astype(np.float64)
        place = {int(row): number for number, row in enumerate(rows)}
        for person, row in forbidden:
            if row in place:
                odds[person, place[row]] = -np.inf
        top = np.maximum(odds.max(axis=0, initial=0.0), 0.0)
        weight = np.exp(odds - top)
        return weight / (weight.sum(axis=0) + np.exp(-top))

    @cached_property
    def fit(self) -> np.ndarray:
        """(n,) how well a track fits its person beside the person's others, 0..1; 1 where nothing can be said.

        The share of tracks as like the rest as this one or less, were they spread as the person's are (normal).
        """
        fit = np.ones(self.log_odds.shape[1])
        evidence = self.likeness.evidence.calibration
        for rows in self.people:
            own = rows[self.likeness.known[rows]]
            if len(own) < 2:
                continue
            vectors = self.likeness.embedding[own]
            similarity = (vectors @ vectors.sum(axis=0) - 1) / (len(own) - 1)
            middle = float(np.median(similarity))
            prior = evidence.same_std**2 / 2
            spread = ((similarity - middle) ** 2).sum() + _PRIOR_TRACKS * prior
            fit[own] = ndtr((similarity - middle) / np.sqrt(spread / (len(own) + _PRIOR_TRACKS)))
        return fit

    @cached_property
    def _sums(self) -> tuple[np.ndarray, np.ndarray]:
        known, vectors = self.likeness.known, self.likeness.embedding
        sums = np.array([vectors[rows].sum(axis=0) for rows in self.people]).reshape(len(self.people), -1)
        return sums, np.array([known[rows].sum() for rows in self.people], np.float64)


def _evidence(
    found: FoundTracks, embedding: np.ndarray, known: np.ndarray, calibration: Calibration | None
) -> Evidence:
    """The evidence of the season's pairs, as `match_cast` has it."""
    titles = []
    for number, name in enumerate(found.titles):
        own = found.rows_of_title(number)
        rows = np.arange(own.start, own.stop)[known[own] & (found.cluster[own] >= 0)]
        pairs = found.together[found.title[found.together[:, 0]] == number]
        titles.append(
            TitleCharacters(name, found.track_id[rows], found.cluster[rows], embedding[rows], found.track_id[pairs])
        )
    titles = [title for title in titles if len(title.track_id)]
    if not titles:
        return Evidence(calibration or Calibration())
    values, counts, tracks = season_similarities(titles, _FITTED_TRACKS)
    own_calibration = calibration or guess_calibration(values, counts)
    if not counts.sum():
        return Evidence(own_calibration)
    units = standardise(values, own_calibration.typical_clarity, own_calibration)
    return fit_evidence(units, own_calibration.typical_clarity, tracks, own_calibration, counts)
