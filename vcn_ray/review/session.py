"""A review: the season in memory, what people say of it, and back again.

All who have the page open share one session, and several sessions may be at work on one season: each edit is appended
to ``corrections.yaml`` under compare-and-swap, and what others wrote there is taken over.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vcn_ray.corrections.applying import Corrected, apply_corrections
from vcn_ray.corrections.correction import Correction, Kind
from vcn_ray.corrections.correction_file import CORRECTIONS_KEY, edit_corrections, read_corrections
from vcn_ray.errors import InputError
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.review.edits import KINDS, Edit, Request, edit_of
from vcn_ray.review.moment import Moment
from vcn_ray.review.nearest import Likeness
from vcn_ray.review.people import Person
from vcn_ray.review.questions import Question, QuestionKind, questions
from vcn_ray.review.source import SeasonSource

#: Questions that were handed out and may still be answered.
_QUESTIONS_KEPT = 500

#: Earlier moments, against which requests of a page that has not caught up are checked.
_MOMENTS_KEPT = 50


class OutdatedError(Exception):
    """A request speaks of a person who is no longer there."""


class ReviewSession:
    """What the server asks. Safe to be called by several threads; reading never waits for an edit.

    Args:
        source: the season.
        by: who says what is said.
        on_edit: called after each edit, and where somebody else's was seen.
    """

    def __init__(self, source: SeasonSource, by: str, on_edit: Callable[[], None] = lambda: None):
        self.source, self.by, self._on_edit = source, by, on_edit
        self._likeness = Likeness(source.found, source.embedding, known_calibration(source.network))
        self._editing = threading.Lock()
        self._version = source.version()
        self._notices: list[str] = []
        self._content = self._file_content()
        corrections = read_corrections(source.out)
        self._moment = self._moment_of(0, corrections)
        self._members: OrderedDict[int, np.ndarray] = OrderedDict({0: self._moment.corrected.member})
        self._undo: list[Edit] = []
        self._redo: list[Edit] = []
        self._skipped: dict[tuple[int, int], QuestionKind] = {}
        self._asked: OrderedDict[str, tuple[Question, tuple[int, ...], tuple[int, ...]]] = OrderedDict()

    @property
    def moment(self) -> Moment:
        """The season as it now stands."""
        return self._moment

    def season_json(self) -> dict[str, Any]:
        """What ``/api/season`` answers, but for how far the tables are."""
        moment, source = self._moment, self.source
        return {
            "name": source.name,
            "revision": moment.revision,
            "titles": [
                {
                    "id": title,
                    "videos": [
                        {
                            "name": video.name,
                            "duration_s": video.duration_s,
                            "fps": video.fps,
                            "width_px": video.width_px,
                            "height_px": video.height_px,
                        }
                        for video in videos
                    ],
                }
                for title, videos in zip(source.found.titles, source.videos, strict=True)
            ],
            "people": [person.to_json() for person in moment.people],
            "unknown": len(moment.unknown),
            "not_faces": moment.not_faces,
            "tracks": len(source.found),
            "corrections": len(moment.corrections),
            "undo": self._undo[-1].noun if self._undo else None,
            "redo": self._redo[-1].noun if self._redo else None,
            "problems": [*self._notices, *(str(problem) for problem in moment.corrected.problems)],
        }

    def questions_json(self, count: int) -> list[dict[str, Any]]:
        """The next questions, best first."""
        moment, found = self._moment, self.source.found
        asked = questions(
            found, self.source.facts, moment.people, moment.comparison, moment.said, dict(self._skipped), count
        )
        for question in asked:
            sides = question.rows, question.others
            self._asked[question.key] = question, *sides
            self._asked.move_to_end(question.key)
        while len(self._asked) > _QUESTIONS_KEPT:
            self._asked.popitem(last=False)
        return [question.to_json(moment.people) for question in asked]

    def correct(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Follow a request of the page, see the address ``/api/corrections``.

        Raises:
            InputError: it cannot be; nothing was changed.
            OutdatedError: it names a person who is no longer there.
        """
        with self._editing:
            return self._commit(edit_of(self._moment, self._request(content), self.by))

    def answer(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Take the answer to a question; errors as for `correct`."""
        key, answer = content.get("key"), content.get("answer")
        if answer not in ("yes", "no", "skip"):
            raise InputError("An answer is yes, no or skip.")
        with self._editing:
            if not isinstance(key, str) or key not in self._asked:
                raise OutdatedError("This question is not asked any more.")
            question, rows, others = self._asked[key]
            moment = self._moment
            if answer == "skip":
                self._skipped[rows[0], others[0]] = question.kind
                return self._changed(moment, "Passed over")
            other = moment.owner_of_most(others)
            if (other is None) != (question.person is None):
                raise OutdatedError("This question is not asked any more.")
            if other is None:
                request = Request(Kind.MERGE if answer == "yes" else Kind.DIFFERENT, tracks=rows, others=others)
            elif question.kind is QuestionKind.SAME:
                person = moment.owner_of_most(rows)
                if person is None or person is other:
                    raise OutdatedError("This question is not asked any more.")
                # Of the tracks that were shown: that is what was looked at, and what a later run is held to.
                kind = Kind.MERGE if answer == "yes" else Kind.DIFFERENT
                sides = (others, rows) if other.naming is not None and person.naming is None else (rows, others)
                request = Request(kind, tracks=sides[0], others=sides[1])
            else:
                kind = Kind.MOVE if answer == "yes" else Kind.DIFFERENT
                request = Request(kind, tracks=rows, other_people=(other,))
            return self._commit(edit_of(moment, request, self.by))

    def undo(self) -> dict[str, Any]:
        """Take the last edit of this session back out of the file. `InputError` where there is none."""
        with self._editing:
            if not self._undo:
                raise InputError("There is nothing to undo.")
            edit = self._undo[-1]
            before = self._write(lambda old: [correction for correction in old if correction.id not in edit.ids])
            self._redo.append(self._undo.pop())
            return self._moved_on(before, f"Undone: {edit.noun}")

    def redo(self) -> dict[str, Any]:
        """Put the edit that was last undone into the file again. `InputError` where there is none."""
        with self._editing:
            if not self._redo:
                raise InputError("There is nothing to redo.")
            edit = self._redo[-1]
            before = self._write(lambda old: [*(c for c in old if c.id not in edit.ids), *edit.corrections])
            self._undo.append(self._redo.pop())
            return self._moved_on(before, edit.said)

    def look(self) -> bool:
        """Take over what others wrote into the file; whether there was anything.

        A file that cannot be read, and a season that has been run anew meanwhile, are told among the problems.
        """
        with self._editing:
            rerun = "This season has been run again meanwhile: end this review and start it anew to see the result."
            self._notices = [rerun] if self.source.version() != self._version else []
            content = self._file_content()
            if content == self._content:
                return False
            try:
                corrections = read_corrections(self.source.out)
            except InputError as error:
                self._notices.append(str(error))
                return False
            self._content = content
            if corrections == self._moment.corrections:
                return False
            self._set(self._moment_of(self._moment.revision + 1, corrections))
        self._on_edit()
        return True

    def _request(self, content: Mapping[str, Any]) -> Request:
        """A request of the page, checked: it comes from outside."""
        kind = content.get("kind")
        if kind not in [known.value for known in KINDS]:
            raise InputError(f"A correction is one of {', '.join(KINDS)}.")
        name = content.get("name")
        if name is not None and not isinstance(name, str):
            raise InputError("A name is a text.")
        if kind == Kind.NAME and not (name and name.strip()):
            raise InputError("Write a name.")
        revision = content.get("revision")
        return Request(
            Kind(kind),
            tracks=self._rows(content.get("tracks")),
            people=self._people(content.get("people"), revision),
            others=self._rows(content.get("others")),
            other_people=self._people(content.get("other_people"), revision),
            name=name,
        )

    def _rows(self, given: Any) -> tuple[int, ...]:
        rows = [] if given is None else given
        count = len(self.source.found)
        if not isinstance(rows, list) or not all(type(row) is int and 0 <= row < count for row in rows):
            raise InputError("Tracks are numbers of rows that are there.")
        return tuple(dict.fromkeys(rows))

    def _people(self, given: Any, revision: Any) -> tuple[Person, ...]:
        ids = [] if given is None else given
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise InputError("People are ids.")
        people = []
        for one in dict.fromkeys(ids):
            person = self._moment.by_id.get(one)
            if person is None or not self._still_is(person, revision):
                raise OutdatedError("Somebody changed this person meanwhile; look again.")
            people.append(person)
        return tuple(people)

    def _still_is(self, person: Person, revision: Any) -> bool:
        """Whether a page of an earlier revision means the same person by an id: they share tracks."""
        before = self._members.get(revision) if isinstance(revision, int) else None
        return before is None or bool((before[person.rows] == person.member).any())

    def _commit(self, edit: Edit) -> dict[str, Any]:
        """Write an edit, if it can be followed."""
        would_be = [*self._moment.corrections, *edit.corrections]
        corrected = self._apply(would_be)
        refused = next((p for p in corrected.problems if p.correction.id in edit.ids), None)
        if refused is not None:
            raise InputError(f"That cannot be: {refused.sentence}.")
        before = self._write(lambda old: [*old, *edit.corrections], would_be, corrected)
        self._undo.append(edit)
        self._redo.clear()
        return self._moved_on(before, edit.said)

    def _write(
        self,
        change: Callable[[list[Correction]], Sequence[Correction]],
        expected: list[Correction] | None = None,
        corrected: Corrected | None = None,
    ) -> Moment:
        """Change the file; the next moment is of what is then in it. Gives the one before.

        expected, corrected: what is in it if nobody else wrote meanwhile, and what comes of that.
        """
        written = edit_corrections(self.source.out, change)
        self._content = self._file_content()
        before = self._moment
        same = corrected is not None and written == expected
        self._set(self._moment_of(before.revision + 1, written, corrected if same else None))
        return before

    def _moved_on(self, before: Moment, said: str) -> dict[str, Any]:
        self._on_edit()
        return self._changed(before, said)

    def _changed(self, before: Moment, said: str) -> dict[str, Any]:
        """What the page is told after an edit: the season, and what became of ids that are gone."""
        moved: dict[str, str | None] = {}
        for person in before.people:
            if person.id not in self._moment.by_id:
                heir = self._moment.owner_of_most(person.rows.tolist())
                moved[person.id] = None if heir is None else heir.id
        return {"season": self.season_json(), "said": said, "moved": moved}

    def _set(self, moment: Moment) -> None:
        self._moment = moment
        self._members[moment.revision] = moment.corrected.member
        while len(self._members) > _MOMENTS_KEPT:
            self._members.popitem(last=False)

    def _moment_of(self, revision: int, corrections: list[Correction], corrected: Corrected | None = None) -> Moment:
        return Moment(self.source, self._likeness, revision, corrections, corrected or self._apply(corrections))

    def _apply(self, corrections: list[Correction]) -> Corrected:
        return apply_corrections(self.source.found, self.source.places, corrections)

    def _file_content(self) -> bytes | None:
        out = self.source.out
        return out.read_bytes(CORRECTIONS_KEY) if out.exists(CORRECTIONS_KEY) else None
