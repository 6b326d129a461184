"""What to ask next: the question whose answer is expected to change most of what the tables say.

A question is worth its doubt times what its answer moves. Two people of a and b seconds on screen who turn out to be
one, or a track of b seconds that is not of the person of a: each item of either side gains (or loses) the other side as
company, so B-cubed recall (precision) of the season moves by 2ab/(a + b) over its length. That is the weight, times the
probability of the answer that changes something.

What somebody has said is not asked again: corrections tell who is apart (`different`, `split`), who is one (`merge`)
and which tracks rightly are where they are (`move`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from vcn_ray.corrections.correction import Kind
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.review.nearest import Comparison
from vcn_ray.review.people import Person
from vcn_ray.review.source import TrackFacts

#: So many tracks of a side are shown.
_MOST_SHOWN = 6

#: How much of the belief in a track's place is the adapted network's, where it is known; the rest is the base model's.
_ADAPTED_SHARE = 0.75

#: A question whose answer is as sure as this is not worth a person's time.
_LEAST_DOUBT = 0.005

#: Tracks weighed at once.
_BLOCK_TRACKS = 2048

#: Of the most valuable candidates of each kind so many are weighed.
_CANDIDATES = 64


#: Tracks that a correction of these kinds names are where somebody wants them.
_SETTLE = (Kind.SPLIT, Kind.MOVE, Kind.NOT_A_FACE, Kind.NOBODY, Kind.FORGET)


class QuestionKind(StrEnum):
    """What is asked."""

    SAME = "same"  # are two people one?
    BELONGS = "belongs"  # is this track that person?


@dataclass(frozen=True)
class Question:
    """A question of the queue."""

    key: str  # the same for the same question while the session lasts
    kind: QuestionKind
    rows: tuple[int, ...]  # the tracks that are asked about: of SAME, those that stand for the first person
    others: tuple[int, ...]  # those that stand for whom they are held against
    person: int | None  # index of the person of `others`; of SAME, of the first; None: two Unknown tracks
    other: int | None  # of SAME: the second
    probability: float  # that the answer is yes
    weight: float  # seconds that the answer is expected to change

    def to_json(self, people: Sequence[Person]) -> dict[str, Any]:
        """What the page is told of it."""
        person = None if self.person is None else people[self.person]
        other = None if self.other is None else people[self.other]
        if person is None:
            text = "Are these two one person?"
        else:
            text = f"Is this {person.label}?" if other is None else f"Are {person.label} and {other.label} one person?"
        return {
            "key": self.key,
            "kind": self.kind.value,
            "text": text,
            "tracks": list(self.rows),
            "others": list(self.others),
            "person": None if person is None else person.id,
            "other": None if other is None else other.id,
            "probability": round(self.probability, 4),
            "weight": round(self.weight, 4),
        }


@dataclass(frozen=True)
class Said:
    """What corrections say of tracks, by the rows that were found at their anchors."""

    apart: list[tuple[int, tuple[int, ...]]]  # a track, and tracks of somebody whom it does not show
    settled: np.ndarray  # (n,) bool: somebody has put the track where it is, or out for good
    taken_out: list[int]  # tracks of which somebody said that they are not whom they were given to

    @staticmethod
    def of(followed: Sequence[tuple[Kind, Sequence[int], Sequence[int]]], count: int) -> Said:
        """From people's corrections, in order: kind, rows of `tracks`, rows of `others`; of so many tracks in all."""
        apart: list[tuple[int, tuple[int, ...]]] = []
        settled = np.zeros(count, bool)
        taken_out: dict[int, None] = {}
        for kind, rows, others in followed:
            if kind in (Kind.DIFFERENT, Kind.SPLIT):
                apart += [(row, tuple(others)) for row in rows]
            if kind in _SETTLE:
                settled[list(rows)] = True
            # Of people who were merged whole not each track was looked at; a single one was.
            for side in (rows, others) if kind is Kind.MERGE else ():
                settled[list(side)] |= len(side) == 1
            if kind is Kind.DIFFERENT:
                settled[list(rows)] = False  # not who they were put to
                taken_out |= dict.fromkeys(rows)
        return Said(apart, settled, [row for row in taken_out if not settled[row]])


def questions(
    found: FoundTracks,
    facts: TrackFacts,
    people: Sequence[Person],
    comparison: Comparison,
    said: Said,
    skipped: Mapping[tuple[int, int], QuestionKind],
    count: int,
) -> list[Question]:
    """The `count` questions that are worth most, best first; equal worth by key.

    people: in the comparison's order, in which single tracks that were taken out of a person may follow.
    skipped: (track of one side, track of the other) of questions passed over, and what was asked. A track that somebody
    could not tell is not asked about again: beside the next person it is as unclear.
    """
    if not people:
        return []
    queue = _Queue(found, facts, people, comparison, said, skipped)
    return sorted([*queue.of_people(), *queue.of_tracks()], key=lambda q: (-round(q.weight, 9), q.key))[:count]


class _Queue:
    def __init__(
        self,
        found: FoundTracks,
        facts: TrackFacts,
        people: Sequence[Person],
        comparison: Comparison,
        said: Said,
        skipped: Mapping[tuple[int, int], QuestionKind],
    ):
        self.found, self.facts, self.people, self.comparison, self.said = found, facts, people, comparison, said
        self.person = comparison.person
        # Behind the people: tracks that were taken out of one, each as if it were somebody.
        strays = [int(rows[0]) for rows in comparison.people[len(people) :]]
        self.seconds = np.array([*(person.seconds for person in people), *facts.seconds[strays]])
        self.apart = np.zeros((len(self.seconds), len(self.seconds)), bool)
        self.forbidden: list[tuple[int, int]] = []  # (person, track)
        for row, others in said.apart:
            other = self._majority(others)
            if other < 0:
                continue
            if not 0 <= self.person[row] < len(people):
                self.forbidden.append((other, row))
            else:
                self.apart[self.person[row], other] = self.apart[other, self.person[row]] = True
            if other >= len(people) and self.person[row] >= 0:
                self.forbidden.append((int(self.person[row]), others[0]))
        for row, other_row in skipped:
            a, b = self.person[row], self.person[other_row]
            if a >= 0 and b >= 0:
                self.apart[a, b] = self.apart[b, a] = True
            if b >= 0:
                self.forbidden.append((int(b), row))
            if a >= len(people):
                self.forbidden.append((int(a), other_row))
        self.skipped = skipped

    def of_people(self) -> Iterator[Question]:
        """Are two people one?"""
        count = len(self.people)
        probability = np.where(self.apart, 0, self.comparison.pair_probability)[:count, :count]
        weight = probability * _moved(self.seconds[:count, None], self.seconds[None, :count])
        weight[probability < _LEAST_DOUBT] = 0
        for place in _largest(np.triu(weight, 1).ravel()):
            a, b = divmod(int(place), count)
            one, other = self.people[a], self.people[b]
            yield Question(
                key=f"same:{one.best_row}:{other.best_row}",
                kind=QuestionKind.SAME,
                rows=self._shown(one.rows),
                others=self._shown(other.rows),
                person=a,
                other=b,
                probability=float(probability[a, b]),
                weight=float(weight[a, b]),
            )

    def of_tracks(self) -> Iterator[Question]:
        """Is this track the person it was given to, or, of the Unknown, the person who is likeliest?"""
        asked = np.flatnonzero(~self.said.settled & self.comparison.likeness.known)
        asked = asked[self._is_open(asked)]
        owner = self.person[asked]
        is_inside = (owner >= 0) & (owner < len(self.people))
        inside, outside = asked[is_inside], asked[~is_inside]
        right = self.belief(inside)
        company = self.seconds[self.person[inside]] - self.facts.seconds[inside]
        weight = (1 - right) * _moved(self.facts.seconds[inside], company)
        weight[1 - right < _LEAST_DOUBT] = 0
        for place in _largest(weight):
            row = int(inside[place])
            yield self._belongs(row, int(self.person[row]), float(right[place]), float(weight[place]))
        best, likely = self._likeliest(outside)
        weight = likely * _moved(self.facts.seconds[outside], self.seconds[best])
        weight[likely < _LEAST_DOUBT] = 0
        for place in _largest(weight):
            yield self._belongs(int(outside[place]), int(best[place]), float(likely[place]), float(weight[place]))

    def _likeliest(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) the person whom each of some tracks shows most likely, of those that nobody ruled out; how likely."""
        best, likely = np.zeros(len(rows), np.int64), np.zeros(len(rows))
        for start in range(0, len(rows), _BLOCK_TRACKS):
            block = slice(start, start + _BLOCK_TRACKS)
            probability = self.comparison.probabilities(rows[block], self.forbidden)
            best[block], likely[block] = probability.argmax(axis=0), probability.max(axis=0)
        return best, likely

    def belief(self, rows: np.ndarray) -> np.ndarray:
        """(rows,) probability that tracks are of the person they are given to.

        What the adapted network found (confidence), where it is known; what the base model says otherwise.
        """
        own = self.comparison.own_probability[rows]
        confidence = self.facts.confidence[rows]
        return np.where(np.isfinite(confidence), _ADAPTED_SHARE * confidence + (1 - _ADAPTED_SHARE) * own, own)

    def _belongs(self, row: int, person: int, probability: float, weight: float) -> Question:
        stray = person >= len(self.people)
        others = self.comparison.people[person]
        shown = self._shown(others[others != row])
        return Question(
            key=f"belongs:{row}:{shown[0]}",
            kind=QuestionKind.SAME if stray else QuestionKind.BELONGS,
            rows=(row,),
            others=shown,
            person=None if stray else person,
            other=None,
            probability=probability,
            weight=weight,
        )

    def _is_open(self, rows: np.ndarray) -> np.ndarray:
        """(rows,) whether a track may be asked about: not where it is its person's only one, or was passed over."""
        person = self.person[rows]
        sizes = np.array([len(one.rows) for one in self.people])
        inside = (person >= 0) & (person < len(self.people))
        alone = inside & (sizes[np.where(inside, person, 0)] == 1)
        passed = {row for (row, _), kind in self.skipped.items() if kind is QuestionKind.BELONGS}
        return ~alone & ~np.isin(rows, np.array(sorted(passed), np.int64))

    def _shown(self, rows: np.ndarray) -> tuple[int, ...]:
        """The tracks that show a person best: with pictures, sure, long; of several titles where there are."""
        sure = np.nan_to_num(self.facts.confidence[rows], nan=0.5)
        worth = (self.facts.crops[rows] > 0) + sure * np.log1p(self.facts.seconds[rows])
        order = rows[np.lexsort((rows, -worth))]
        first_of_title = np.zeros(len(order), bool)
        first_of_title[np.unique(self.found.title[order], return_index=True)[1]] = True
        order = np.concatenate([order[first_of_title], order[~first_of_title]])
        return tuple(order[:_MOST_SHOWN].tolist())

    def _majority(self, rows: Sequence[int]) -> int:
        """The person that most of these tracks are of; -1 where all are Unknown."""
        own = self.person[list(rows)]
        own = own[own >= 0]
        return int(np.bincount(own).argmax()) if len(own) else -1


def _moved(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """What B-cubed gains, in seconds, when sides of a and b seconds come together, or apart: see the module."""
    return 2 * np.asarray(a) * b / np.maximum(np.asarray(a) + b, 1e-9)


def _largest(weight: np.ndarray) -> list[int]:
    """Places of the largest weights, above 0 only."""
    if not len(weight):
        return []
    few = np.argpartition(-weight, min(_CANDIDATES, len(weight)) - 1)[:_CANDIDATES]
    return few[weight[few] > 0].tolist()
