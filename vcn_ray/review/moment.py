"""The season under review as it stands at one moment: between two edits nothing of it changes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from vcn_ray.corrections.applying import Corrected
from vcn_ray.corrections.correction import Correction, Kind
from vcn_ray.review.nearest import Comparison, Likeness
from vcn_ray.review.people import Person, people_of
from vcn_ray.review.questions import Said
from vcn_ray.review.source import SeasonSource

_NEAREST_OF_PERSON = 12
_NEAREST_OF_TRACK = 3
_MOST_STRAYS = 200


class Moment:
    """What all answers between two edits are made from; what takes a while is made when first asked for.

    Args:
        source: the season.
        likeness: of its tracks.
        revision: counts the edits.
        corrections: all that was said so far.
        corrected: what comes of it.
    """

    def __init__(
        self,
        source: SeasonSource,
        likeness: Likeness,
        revision: int,
        corrections: Sequence[Correction],
        corrected: Corrected,
    ):
        self.source, self.likeness = source, likeness
        self.revision, self.corrections, self.corrected = revision, list(corrections), corrected
        self.people: list[Person] = people_of(source.found, source.facts, corrected)
        self.by_id = {person.id: person for person in self.people}
        self._place = {person.id: place for place, person in enumerate(self.people)}
        self._comparing = threading.Lock()

    @property
    def comparison(self) -> Comparison:
        """How tracks and people stand to each other: people in the order of `people`, then tracks taken out of one."""
        with self._comparing:  # one thread makes it, others wait
            return self._comparison

    @cached_property
    def _comparison(self) -> Comparison:
        # Tracks that were taken out of a person may be somebody whom others of that person show, too.
        strays = [row for row in self.said.taken_out if self.corrected.member[row] < 0][-_MOST_STRAYS:]
        return self.likeness.compare([*(person.rows for person in self.people), *(np.array([row]) for row in strays)])

    @cached_property
    def said(self) -> Said:
        """What people said of single tracks."""
        places = self.source.places

        def rows(anchors: Sequence[Any]) -> list[int]:
            return [row for anchor in anchors for row in places.rows(anchor)]

        spoken = [c for c in self.corrections if c.is_said_by_a_person]
        return Said.of([(c.kind, rows(c.tracks), rows(c.others)) for c in spoken], len(self.source.found))

    @cached_property
    def unknown(self) -> np.ndarray:
        """Rows of the Unknown tracks, those longest on screen first."""
        rows = np.flatnonzero(self.corrected.member < 0)
        return rows[np.lexsort((rows, -self.source.facts.seconds[rows]))]

    @cached_property
    def not_faces(self) -> int:
        """How many tracks people said are no faces."""
        places, out = self.source.places, set[int]()
        for correction in self.corrections:
            rows = {row for anchor in correction.tracks for row in places.rows(anchor)}
            out = out | rows if correction.kind is Kind.NOT_A_FACE else out - rows
        return sum(1 for row in out if self.corrected.member[row] < 0)

    def owner(self, row: int) -> Person | None:
        """Whom a track is of."""
        return self.by_id.get(f"p{self.corrected.member[row]}")

    def owner_of_most(self, rows: Sequence[int]) -> Person | None:
        """Whom most of these tracks are of; None where all are Unknown."""
        members = self.corrected.member[list(rows)]
        members = members[members >= 0]
        return self.by_id[f"p{np.bincount(members).argmax()}"] if len(members) else None

    def reason(self, row: int) -> str | None:
        """Why a track is Unknown; None where it is not."""
        if self.corrected.member[row] >= 0:
            return None
        return self.corrected.reason.get(row) or self.source.facts.reason[row] or "no reason given"

    def person_json(self, person: Person) -> dict[str, Any]:
        """A person, their tracks, the least fitting first, and whom they may be."""
        comparison, place = self.comparison, self._place[person.id]
        fit = comparison.fit[person.rows]
        order = person.rows[np.lexsort((person.rows, fit))]
        count = len(self.people)
        probability, together = comparison.pair_probability[place, :count], comparison.together[place, :count]
        near = [int(n) for n in np.lexsort((np.arange(len(self.people)), together, -probability)) if n != place]
        return {
            "person": person.to_json(),
            "tracks": [self.track_json(row) for row in order.tolist()],
            "nearest": [
                _near(self.people[n], probability[n]) | {"together": bool(together[n])}
                for n in near[:_NEAREST_OF_PERSON]
            ],
        }

    def unknown_json(self, offset: int, limit: int, reason: str | None) -> dict[str, Any]:
        """The Unknown tracks, a part of them, with whom they may show."""
        reasons = {row: self.reason(row) for row in self.unknown.tolist()}
        rows = [row for row, why in reasons.items() if reason is None or why == reason]
        shown = rows[offset : offset + limit]
        probability = self.comparison.probabilities(np.array(shown, np.int64), self._forbidden)
        best = np.argsort(-probability[: len(self.people)], axis=0, kind="stable")[:_NEAREST_OF_TRACK]
        known = self.likeness.known
        return {
            "total": len(rows),
            "reasons": [{"reason": why, "count": n} for why, n in Counter(reasons.values()).most_common()],
            "tracks": [
                self.track_json(row)
                | {"nearest": [_near(self.people[p], probability[p, n]) for p in best[:, n] if known[row]]}
                for n, row in enumerate(shown)
            ],
        }

    @cached_property
    def _forbidden(self) -> list[tuple[int, int]]:
        """(person, track) of which somebody said that it is not so."""
        person, found = self.comparison.person, []
        for row, others in self.said.apart:
            counts = Counter(int(person[other]) for other in others if person[other] >= 0)
            found += [(of, row) for of, _ in counts.most_common(1)]
        return found

    def track_json(self, row: int) -> dict[str, Any]:
        """What the page is told of a track in a list."""
        facts, unknown = self.source.facts, self.corrected.member[row] < 0
        video = self.source.videos[int(self.source.found.title[row])][int(facts.video[row])]
        first_s = float(facts.first_time_s[row])
        said_by = self.corrected.said_by.get(row)
        confidence = float(facts.confidence[row])
        return {
            "row": row,
            "title": int(self.source.found.title[row]),
            "video": int(facts.video[row]),
            "shot": int(facts.shot[row]),
            "first_time_s": round(first_s, 3),
            "last_time_s": round(float(facts.last_time_s[row]), 3),
            "timecode": timecode(first_s, video.fps),
            "faces": int(facts.faces[row]),
            "confidence": None if unknown or said_by or not np.isfinite(confidence) else round(confidence, 4),
            "fit": 1.0 if unknown else round(float(self.comparison.fit[row]), 4),
            "status": "unknown" if unknown else "clustered",
            "reason": self.reason(row),
            "said_by": said_by,
            "crops": int(facts.crops[row]),
        }


def timecode(time_s: float, fps: float) -> str:
    """Hours, minutes, seconds of a time, and the frame within that second: '00:01:02:12'."""
    whole = int(time_s + 1e-6)
    frame = int((time_s - whole) * fps + 0.5)
    if frame >= round(fps):  # the last fraction of a second of an uneven rate
        frame = max(0, round(fps) - 1)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}:{frame:02}"


def _near(person: Person, probability: float) -> dict[str, Any]:
    return {
        "id": person.id,
        "label": person.label,
        "best_row": person.best_row,
        "probability": round(float(probability), 4),
    }
