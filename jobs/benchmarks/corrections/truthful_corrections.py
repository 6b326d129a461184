"""Corrections of all kinds as somebody would make them on the review page who knows the ground truth."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jobs.benchmarks.corrections.truth_teller import TruthTeller
from vcn_ray.errors import InputError
from vcn_ray.review.people import Person
from vcn_ray.review.session import ReviewSession
from vcn_ray.review.stored_season import StoredSeason

#: What the page sends for a correction.
_Content = dict[str, Any]


def correct_by_truth(season: StoredSeason, truth: TruthTeller, count: int, seed: int) -> None:
    """Write so many corrections into the season's file, all of them true, of as many kinds as the season gives cause.

    Mistakes first; then what is right and could be taken for a mistake: people who look alike are two, a track is where
    it belongs. Somebody seen least is nobody in particular. What the session refuses is not said.

    seed: of which ones.
    """
    session = ReviewSession(season, "ground truth")
    corrector = _Corrector(session, truth, seed)
    kinds: list[tuple[Callable[[], Iterator[_Content]], float]] = [
        (corrector.merges, 0.15),
        (corrector.splits, 0.1),
        (corrector.moves, 0.15),
        (corrector.differences, 0.15),
        (corrector.false_tracks, 0.15),
        (corrector.nobodies, 0.025),
        (corrector.names, 0.25),
        (corrector.namelessness, 0.025),
        (corrector.confirmations, 1.0),
    ]
    left = count
    for contents, share in kinds:
        most = min(left, max(1, round(share * count)))
        left -= _say(session, contents, most)


def _say(session: ReviewSession, contents: Callable[[], Iterator[_Content]], most: int) -> int:
    """Say up to so many; how many the session took. Each is looked for in the season as it then stands."""
    said, refused = 0, set[str]()
    while said < most:
        content = next((content for content in contents() if str(content) not in refused), None)
        if content is None:
            break
        refused.add(str(content))
        try:
            session.correct(content | {"revision": session.moment.revision})
            said += 1
        except InputError:
            continue
    return said


class _Corrector:
    """What there is to say of a season as it stands, by kind."""

    def __init__(self, session: ReviewSession, truth: TruthTeller, seed: int):
        self._session, self._truth = session, truth
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self._order = self._random.sample(range(len(truth.identity)), len(truth.identity))
        seen = Counter(identity for identity in truth.identity if identity is not None)
        self._nobody = min(seen, key=lambda identity: (seen[identity], identity), default=None)
        self._spoken: set[object] = set()  # of what has been said once

    def merges(self) -> Iterator[_Content]:
        """People who are one; then tracks of one person, which are found together already."""
        people = self._people()
        for place, (person, who) in enumerate(people):
            for other, other_who in people[:place]:
                if who == other_who:
                    yield {"kind": "merge", "people": [other.id], "other_people": [person.id]}
        for person, who in people:
            rows = [row for row in self._order if row in person.rows and self._truth.identity[row] == who]
            if len(rows) >= 4 and self._once("merge", person.id):
                yield {"kind": "merge", "tracks": rows[:2], "others": rows[2:4]}

    def splits(self) -> Iterator[_Content]:
        """Tracks of somebody else; then whole people, from those who look most like them."""
        for person, who in self._people():
            for other in sorted({i for row in person.rows.tolist() if (i := self._truth.identity[row])} - {who}):
                rows = [row for row in person.rows.tolist() if self._truth.identity[row] == other]
                yield {"kind": "split", "tracks": rows, "other_people": [person.id]}
        for person, other in self._alike():
            rows = person.rows.tolist()
            if self._once("split", *rows):
                yield {"kind": "split", "tracks": rows, "other_people": [other.id]}

    def moves(self) -> Iterator[_Content]:
        """Tracks that are Unknown, or in the wrong place, though their person is there."""
        of = {who: person for person, who in reversed(self._people())}
        for row in self._order:
            who, owner = self._truth.identity[row], self._session.moment.owner(row)
            if who in of and who != self._nobody and (owner is None or self._truth.of(owner.rows.tolist()) != who):
                yield {"kind": "move", "tracks": [row], "other_people": [of[who].id]}

    def differences(self) -> Iterator[_Content]:
        """People who look alike and are two."""
        for person, other in self._alike():
            if self._once("different", *sorted([person.best_row, other.best_row])):
                yield {"kind": "different", "people": [person.id], "other_people": [other.id]}

    def false_tracks(self) -> Iterator[_Content]:
        """Tracks that nobody labelled: in drawn seasons they show no face."""
        for row in self._order:
            if self._truth.identity[row] is None and self._once("false", row):
                yield {"kind": "not-a-face", "tracks": [row]}

    def nobodies(self) -> Iterator[_Content]:
        """All tracks of whoever is seen least."""
        rows = [row for row, who in enumerate(self._truth.identity) if who is not None and who == self._nobody]
        if rows:
            yield {"kind": "nobody", "tracks": rows}

    def names(self) -> Iterator[_Content]:
        """Those longest on screen."""
        for person, who in self._people():
            if person.naming is None:
                yield {"kind": "name", "people": [person.id], "name": who}

    def namelessness(self) -> Iterator[_Content]:
        """Somebody is to have no name."""
        for person, _ in reversed(self._people()):
            if person.naming is None and self._once("unname", person.best_row):
                yield {"kind": "unname", "people": [person.id]}

    def confirmations(self) -> Iterator[_Content]:
        """A track is where it belongs."""
        for row in self._order:
            owner = self._session.moment.owner(row)
            who = self._truth.identity[row]
            if owner is None or who is None or self._truth.of(owner.rows.tolist()) != who or len(owner.rows) < 2:
                continue
            if self._once("confirm", row):
                yield {"kind": "move", "tracks": [row], "other_people": [owner.id]}

    def _people(self) -> list[tuple[Person, str]]:
        """Those of whom the ground truth knows who they are, but for nobody; by screen time."""
        known = [(person, self._truth.of(person.rows.tolist())) for person in self._session.moment.people]
        return [(person, who) for person, who in known if who is not None and who != self._nobody]

    def _alike(self) -> Iterator[tuple[Person, Person]]:
        """Pairs of people who are two, those that look most like one first; none seen together."""
        moment = self._session.moment
        who = {person.id: identity for person, identity in self._people()}
        count = len(moment.people)
        probability = np.triu(moment.comparison.pair_probability[:count, :count], 1)
        for place in np.argsort(-probability, axis=None, kind="stable").tolist():
            a, b = divmod(place, count)
            one, other = moment.people[a], moment.people[b]
            if probability[a, b] <= 0:
                return
            if one.id in who and other.id in who and who[one.id] != who[other.id]:
                yield other, one

    def _once(self, *what: object) -> bool:
        """True the first time."""
        if what in self._spoken:
            return False
        self._spoken.add(what)
        return True
