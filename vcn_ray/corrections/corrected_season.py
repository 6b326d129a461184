"""A season while corrections are followed: the character of each track, the member that each character is, names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.correction import Correction
from vcn_ray.corrections.found_tracks import FoundTracks, Rows


@dataclass(frozen=True)
class Naming:
    """What a person is called."""

    name: str
    confidence: float | None  # probability, where a gallery gave the name; None where a person did
    by: str


@dataclass(frozen=True)
class Problem:
    """Why a correction could not be followed, or no longer holds."""

    correction: Correction
    sentence: str

    def __str__(self) -> str:
        said = self.correction
        return f"'{said.kind}' {said.id} (by {said.by or 'nobody'}, {said.at[:16]}): {self.sentence}"


def clock(seconds: float) -> str:
    """A time in a video, for a sentence."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


class CorrectedSeason:
    """The season while corrections are followed.

    `character` and `member`: (n,) int64 of each track, -1: Unknown; `member_of` and `title_of`: of each character.
    """

    def __init__(self, found: FoundTracks, places: TrackPlaces):
        self.found, self.places = found, places
        self.character = np.full(len(found), -1, np.int64)
        known = np.flatnonzero(found.cluster >= 0)
        both = np.stack([found.title[known], found.cluster[known]], axis=1)
        _, first, character = np.unique(both, axis=0, return_index=True, return_inverse=True)
        self.character[known] = character.ravel()
        self.title_of: dict[int, int] = dict(enumerate(found.title[known[first]].tolist()))
        self._next_member = int(found.member.max(initial=-1)) + 1
        members = [member if member >= 0 else self.new_member() for member in found.member[known[first]].tolist()]
        self.member = np.array([*members, -1], np.int64)[self.character]  # its last is what Unknown (-1) picks
        self.member_of: dict[int, int] = dict(enumerate(members))
        self._characters_of: dict[int, list[int]] = {}  # of a member, those without tracks as well
        for label, member in enumerate(members):
            self._characters_of.setdefault(member, []).append(label)
        self.reason: dict[int, str] = {}
        self.said_by: dict[int, str] = {}
        self.names: dict[int, Naming | None] = {}  # None: a person said that it has none
        self.numbers: dict[int, int] = {}
        self.problems: list[Problem] = []
        self._two: list[tuple[list[int], list[int]]] = []  # tracks that people said are not whom the others show

    def rows_of(self, member: int) -> np.ndarray:
        """All tracks of a member."""
        return np.flatnonzero(self.member == member)

    def meant(self, rows: list[int]) -> np.ndarray:
        """All tracks of the member that most of these are in; these alone where they are Unknown."""
        member = self.member_at(rows)
        return np.array(rows) if member is None else self.rows_of(member)

    def member_at(self, rows: Iterable[int]) -> int | None:
        """The member that most of these tracks are in (of equals, the first met); None where all are Unknown."""
        counts = Counter(member for member in self.member[list(rows)].tolist() if member >= 0)
        return counts.most_common(1)[0][0] if counts else None

    def character_at(self, rows: Iterable[int], title: int) -> int | None:
        """The character that most of these tracks are in, of those that are of this title."""
        own = [row for row in rows if self.found.title[row] == title and self.character[row] >= 0]
        counts = Counter(self.character[own].tolist())
        return counts.most_common(1)[0][0] if counts else None

    def new_member(self) -> int:
        """A member without characters."""
        self._next_member += 1
        return self._next_member - 1

    def new_character(self, title: int, member: int) -> int:
        """A character without tracks."""
        label = len(self.member_of)
        self.title_of[label] = title
        self.belongs(label, member)
        return label

    def belongs(self, character: int, member: int) -> None:
        """A character becomes a member's."""
        if character in self.member_of:
            self._characters_of[self.member_of[character]].remove(character)
        self.member_of[character] = member
        self._characters_of.setdefault(member, []).append(character)
        self.member[self.character == character] = member

    def character_of_member(self, member: int, title: int, near: Iterable[int] = ()) -> int:
        """The member's character in a title: where most of the tracks `near` are, else the largest, else a new one."""
        best = self.character_at(near, title)
        if best is not None and self.member_of[best] == member:
            return best
        own = [
            np.flatnonzero(self.character == c)
            for c in self._characters_of.get(member, [])
            if self.title_of[c] == title
        ]
        # Of equals the one seen first, whatever their numbers.
        largest = max((rows for rows in own if len(rows)), key=lambda rows: (len(rows), -rows[0]), default=None)
        return self.new_character(title, member) if largest is None else int(self.character[largest[0]])

    def put(self, row: int, character: int, by: str) -> None:
        """A track becomes a character's, as somebody said."""
        self.character[row], self.member[row] = character, self.member_of[character]
        self.reason.pop(row, None)
        self.said_by[row] = by

    def take_out(self, row: int, reason: str, by: str) -> None:
        """A track becomes Unknown, as somebody said."""
        self.character[row] = self.member[row] = -1
        self.reason[row], self.said_by[row] = reason, by

    def join(self, keep: int, other: int) -> None:
        """Member `other` becomes part of member `keep`, in each title one character with it."""
        for character in list(self._characters_of.get(other, [])):
            self.belongs(character, keep)
        self.unite(keep)
        if other in self.names:
            name = self.names.pop(other)
            if keep not in self.names or weight(name) > weight(self.names[keep]):
                self.names[keep] = name
        if other in self.numbers:
            self.numbers.setdefault(keep, self.numbers.pop(other))

    def unite(self, member: int) -> None:
        """A member is one character in each title."""
        first: dict[int, int] = {}
        for character in sorted(self._characters_of.get(member, [])):
            own = self.character == character
            if own.any():
                self.character[own] = first.setdefault(self.title_of[character], character)

    def are_two(self, tracks: list[int], others: list[int]) -> None:
        """Keep that a person said so, since no gallery's guess goes before it."""
        self._two.append((tracks, others))

    def said_to_be_two(self, member: int, other: int) -> bool:
        """Whether a person said so of what are these two members now."""
        return any({self.member_at(a), self.member_at(b)} == {member, other} for a, b in self._two)

    def label(self, member: int | None) -> str:
        """What a sentence calls a member."""
        name = None if member is None else self.names.get(member)
        return name.name if name else "them"

    def seen_together(self, correction: Correction, rows: Rows, others: Rows | set[int]) -> bool:
        """Whether any of these tracks is seen with one of the others; then says so as the correction's problem."""
        pair = self.found.seen_with.clash(rows, others)
        if pair is None:
            return False
        times_s = [self.places.faces(row)[1] for row in pair]  # empty where no anchor is of that title
        when = f" at {clock(float(max(times[0] for times in times_s)))}" if all(map(len, times_s)) else ""
        tracks = " and ".join(str(self.found.track_id[row]) for row in pair)
        self.problems.append(
            Problem(
                correction,
                f"tracks {tracks} of {self.found.titles[self.found.title[pair[0]]]} are seen together{when}, so they "
                "are two people; if one of them is in the wrong place, take it out first",
            )
        )
        return True


def weight(name: Naming | None) -> float:
    """Of two names the heavier stays: a person's, then a person's that there is none, then a gallery's surest."""
    if name is None:
        return 2.0
    return 3.0 if name.confidence is None else name.confidence
