"""How probable it is that two people are one, and whom a track shows, by the base model's embeddings.

The evidence is that which matches the cast (`cluster.cast`): averages over pairs of tracks, worth what the
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
from vcn_ray.cluster.cast.season_tracks import TitleCharacters, log_likelihood_ratio, season_similarities
from vcn_ray.cluster.evidence import Evidence, fit_evidence, guess_calibration, standardise
from vcn_ray.corrections.found_tracks import FoundTracks

#: The evidence is fitted to the pairs of so many tracks, drawn from more.
_FITTED_TRACKS = 4000

#: Similarities, -1 to 1, are looked up in a table of so many steps.
_STEPS = 4096

#: Averages of so many pairs say as much as more would.
_MOST_PAIRS = 16.0

#: People whose odds are computed at once: bounds the memory.
_BLOCK_PEOPLE = 64

#: Tracks weighed at once.
_BLOCK_TRACKS = 2048

#: A track whose own person is so much likelier (log odds) than all others needs no closer look.
_CLEAR = 14.0

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

    def weigh(self, similarity: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Log likelihood ratio of averages over so many pairs.

        As in `Evidence.log_odds` an average counts as the root of its pairs, up to a bound; but only where it speaks
        for one person. Against it counts as a single pair: one person turned away, or in other light, is unlike
        themselves in all pairs at once, and just that is what is asked about.
        """
        ratio = self.ratio(similarity)
        return np.where(ratio > 0, np.sqrt(np.minimum(pairs, _MOST_PAIRS)), 1) * ratio

    def compare(self, people: Sequence[np.ndarray]) -> Comparison:
        """How the tracks stand to these people (rows of each); what did not change since the last call is kept."""
        kept = self._kept  # another moment's thread may put its own there meanwhile
        keys = [rows.tobytes() for rows in people]
        odds = np.empty((len(people), len(self.embedding)), np.float32)
        fresh = [number for number, key in enumerate(keys) if key not in kept]
        for number, key in enumerate(keys):
            if key in kept:
                odds[number] = kept[key]
        for start in range(0, len(fresh), _BLOCK_PEOPLE):
            block = fresh[start : start + _BLOCK_PEOPLE]
            odds[block] = self._log_odds([people[number] for number in block])
        self._kept = {key: odds[number] for number, key in enumerate(keys)}
        return Comparison(self, list(people), odds)

    def _log_odds(self, people: Sequence[np.ndarray]) -> np.ndarray:
        """(p, n) log odds that each track is of each person; of those who have it, as if it were not theirs yet.

        -inf where nothing is known, or where the track is seen with one of the person's.
        """
        own = [rows[self.known[rows]] for rows in people]
        sums = np.stack([self.embedding[rows].sum(axis=0) for rows in own])
        total = sums @ self.embedding.T
        count = np.repeat(np.array([[len(rows)] for rows in own], np.float32), total.shape[1], axis=1)
        for number, rows in enumerate(own):
            total[number, rows] -= 1
            count[number, rows] -= 1
        some = np.maximum(count, 1)
        odds = self.weigh(total / some, some) + self._prior(some)
        odds[count < 1] = -np.inf
        odds[:, ~self.known] = -np.inf
        for number, rows in enumerate(people):
            seen = {other for _, other in self.found.seen_with.of(rows.tolist())} - set(rows.tolist())
            odds[number, list(seen)] = -np.inf
        return odds

    def _prior(self, tracks: np.ndarray | float) -> np.ndarray:
        """Log odds that a track is of a person of so many, before anything is seen: a Chinese restaurant process."""
        return np.log(np.asarray(tracks, np.float32) / np.float32(self.evidence.concentration))

    def pair_log_odds(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """(p, p) log odds that people are one, from the sums (p, D) and the numbers (p,) of their tracks."""
        pairs = np.maximum(np.outer(counts, counts), 1)
        odds = self.weigh(sums @ sums.T / pairs, pairs) + self.evidence.prior_log_odds
        odds[(counts < 1), :] = -np.inf
        odds[:, (counts < 1)] = -np.inf
        return odds


@dataclass(eq=False)
class Comparison:
    """Tracks and people of one moment held against each other."""

    likeness: Likeness
    people: list[np.ndarray]  # rows of each
    log_odds: np.ndarray  # (p, n) float32 that a track is of a person, see `Likeness`

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

    def probabilities(self, rows: np.ndarray, forbidden: Sequence[tuple[int, int]] = ()) -> np.ndarray:
        """(p, rows) probability that each of some tracks is of each person; what is missing to 1 is somebody else.

        forbidden: (person, track) of which somebody has said that it is not so.
        """
        odds = self.log_odds[:, rows].astype(np.float64)
        place = {int(row): number for number, row in enumerate(rows)}
        for person, row in forbidden:
            if row in place:
                odds[person, place[row]] = -np.inf
        top = np.maximum(odds.max(axis=0, initial=0.0), 0.0)
        weight = np.exp(odds - top)
        return weight / (weight.sum(axis=0) + np.exp(-top))

    @cached_property
    def own_probability(self) -> np.ndarray:
        """(n,) probability that each track is of the person it was given to; NaN for those of nobody, or unlike all."""
        probability = np.full(len(self.person), np.nan)
        for start in range(0, len(self.person), _BLOCK_TRACKS):
            rows = np.arange(start, min(start + _BLOCK_TRACKS, len(self.person)))
            rows = rows[(self.person[rows] >= 0) & self.likeness.known[rows]]
            odds = self.log_odds[:, rows]
            place = np.arange(len(rows))
            own = odds[self.person[rows], place]
            odds[self.person[rows], place] = -np.inf
            clear = own - np.maximum(odds.max(axis=0, initial=0), 0) > _CLEAR
            probability[rows[clear]] = 1
            rest, odds = rows[~clear], odds[:, ~clear].astype(np.float64)
            own = own[~clear].astype(np.float64)
            top = np.maximum(odds.max(axis=0, initial=0), np.maximum(own, 0))
            others = np.exp(odds - top).sum(axis=0) + np.exp(-top)
            probability[rest] = np.exp(own - top) / (np.exp(own - top) + others)
        return probability

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
