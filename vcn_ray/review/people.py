"""The people of a season under review, each with what the page tells of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vcn_ray.corrections.applying import Corrected, Naming
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.review.source import TrackFacts


@dataclass(frozen=True, eq=False)
class Person:
    """A member of the cast as it now stands."""

    id: str  # "p12"
    member: int
    rows: np.ndarray  # (tracks,) int64 ascending
    naming: Naming | None
    number: int  # in the cast
    faces: int
    seconds: float  # on screen
    by_title: tuple[float, ...]  # the same for each title
    mean_confidence: float | None
    best_row: int  # whose picture is shown

    @property
    def label(self) -> str:
        """What people call them: a name, or 'Cast 3'."""
        return f"Cast {self.number}" if self.naming is None else self.naming.name

    def to_json(self) -> dict[str, Any]:
        """What the page is told of them."""
        return {
            "id": self.id,
            "label": self.label,
            "name": None if self.naming is None else self.naming.name,
            "name_confidence": None if self.naming is None else self.naming.confidence,
            "number": self.number,
            "tracks": len(self.rows),
            "faces": self.faces,
            "screen_time_s": round(self.seconds, 3),
            "by_title": [round(seconds, 3) for seconds in self.by_title],
            "mean_confidence": self.mean_confidence,
            "best_row": self.best_row,
        }


def people_of(found: FoundTracks, facts: TrackFacts, corrected: Corrected) -> list[Person]:
    """The people, by screen time, longest first; members without tracks are left out."""
    member = corrected.member
    order = np.argsort(member, kind="stable")
    order = order[np.searchsorted(member[order], 0) :]
    groups = np.split(order, np.flatnonzero(np.diff(member[order])) + 1) if len(order) else []
    worth = facts.worth
    people = []
    for rows in groups:
        number = int(member[rows[0]])
        by_title = np.bincount(found.title[rows], facts.seconds[rows], len(found.titles))
        confidence = facts.confidence[rows]
        known = confidence[np.isfinite(confidence)]
        people.append(
            Person(
                id=f"p{number}",
                member=number,
                rows=rows,
                naming=corrected.names.get(number),
                number=-1,
                faces=int(facts.faces[rows].sum()),
                seconds=float(by_title.sum()),
                by_title=tuple(by_title.tolist()),
                mean_confidence=round(float(known.mean()), 4) if len(known) else None,
                best_row=int(rows[np.argmax(worth[rows])]),
            )
        )
    people.sort(key=lambda person: (-round(person.seconds, 6), person.member))
    # As the tables number them: by screen time, after the highest of those who have a number from an earlier season.
    given = {person.member: corrected.numbers[person.member] for person in people if person.member in corrected.numbers}
    fresh = itertools.count(max(given.values(), default=-1) + 1)
    return [replace(p, number=given[p.member] if p.member in given else next(fresh)) for p in people]
