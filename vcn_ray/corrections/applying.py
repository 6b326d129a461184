"""Corrections brought to what clustering found: who each track shows, and what people are called.

In the order of the file, so that a later correction goes before an earlier one. What cannot be done is named and leaves
the rest as it is: a track that is gone, two people seen together said to be one, an earlier correction that a later
one of somebody else takes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.correction import Correction, Kind, TrackAnchor
from vcn_ray.corrections.found_tracks import FoundTracks

#: Whatever sets where single tracks belong; `tracks` of these are meant one by one.
_OF_TRACKS = (Kind.SPLIT, Kind.MOVE, Kind.DIFFERENT, Kind.NOT_A_FACE, Kind.NOBODY, Kind.FORGET)


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


@dataclass
class Corrected:
    """A season with corrections. Labels of characters and members are arbitrary; those found keep their numbers."""

    character: np.ndarray  # (n,) int64, unique over the season, each of one title; -1: Unknown
    member: np.ndarray  # (n,) int64 member of the cast; -1: Unknown
    reason: dict[int, str] = field(default_factory=dict)  # row: why a person took it out
    said_by: dict[int, str] = field(default_factory=dict)  # row: who put it where it is
    names: dict[int, Naming] = field(default_factory=dict)  # member: name
    numbers: dict[int, int] = field(default_factory=dict)  # member: number in the cast, as in an earlier season
    problems: list[Problem] = field(default_factory=list)


def apply_corrections(found: FoundTracks, places: TrackPlaces, corrections: Iterable[Correction]) -> Corrected:
    """What the season is with these corrections, in their order."""
    state = _State(found, places)
    done: list[_Followed] = []
    for correction in corrections:
        tracks, gone = _rows(places, correction.tracks)
        others, others_gone = _rows(places, correction.others)
        missing = [*(gone if correction.kind in _OF_TRACKS or not tracks else []), *(others_gone if not others else [])]
        if missing:
            state.problems.append(Problem(correction, f"{_named(missing)} not found any more"))
        if tracks and (others or not correction.others):
            _RULES[correction.kind](state, correction, tracks, others)
            done.append(_Followed(correction, tracks, others))
    state.problems += _contradicted(state, done)
    return Corrected(
        state.character,
        state.members(),
        state.reason,
        state.said_by,
        {m: n for m, n in state.names.items() if n is not None},
        state.numbers,
        state.problems,
    )


@dataclass(frozen=True)
class _Followed:
    correction: Correction
    tracks: list[int]
    others: list[int]


def _rows(places: TrackPlaces, anchors: Sequence[TrackAnchor]) -> tuple[list[int], list[TrackAnchor]]:
    """The rows that are found at these anchors, each once, and the anchors at which there is none."""
    found: dict[int, None] = {}
    gone = []
    for anchor in anchors:
        rows = places.rows(anchor)
        if not rows:
            gone.append(anchor)
        found.update(dict.fromkeys(rows))
    return list(found), gone


def _named(anchors: Sequence[TrackAnchor], most: int = 3) -> str:
    """The tracks of these anchors, for a sentence that goes on with 'not found any more'."""
    shown = ", ".join(f"{anchor.file} at {_clock(anchor.time_s)}" for anchor in anchors[:most])
    more = f" and {len(anchors) - most} more" if len(anchors) > most else ""
    return f"{'track' if len(anchors) == 1 else 'tracks'} {shown}{more} {'is' if len(anchors) == 1 else 'are'}"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


class _State:
    """The season while corrections are followed: the character of each track, the member that each character is."""

    def __init__(self, found: FoundTracks, places: TrackPlaces):
        self.found, self.places = found, places
        self.character = np.full(len(found), -1, np.int64)
        known = np.flatnonzero(found.cluster >= 0)
        both = np.stack([found.title[known], found.cluster[known]], axis=1)
        _, first, character = np.unique(both, axis=0, return_index=True, return_inverse=True)
        self.character[known] = character.ravel()
        self.member_of: dict[int, int] = dict(enumerate(found.member[known[first]].tolist()))
        self.title_of: dict[int, int] = dict(enumerate(found.title[known[first]].tolist()))
        self._next_member = int(found.member.max(initial=-1)) + 1
        self.reason: dict[int, str] = {}
        self.said_by: dict[int, str] = {}
        self.names: dict[int, Naming | None] = {}  # None: a person said that it has none
        self.numbers: dict[int, int] = {}
        self.problems: list[Problem] = []

    def members(self) -> np.ndarray:
        """(n,) member of each track; -1: Unknown."""
        member = np.full(max(self.member_of, default=-1) + 2, -1, np.int64)  # its last, -1, is what Unknown (-1) picks
        for character, number in self.member_of.items():
            member[character] = number
        return member[self.character]

    def rows_of(self, member: int) -> np.ndarray:
        """All tracks of a member."""
        own = [character for character, of in self.member_of.items() if of == member]
        return np.flatnonzero(np.isin(self.character, own))

    def member_at(self, rows: Iterable[int]) -> int | None:
        """The member that most of these tracks are in (of equals, the first met); None where all are Unknown."""
        counts = Counter(self.member_of[int(c)] for c in self.character[list(rows)] if c >= 0)
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
        self.member_of[label], self.title_of[label] = member, title
        return label

    def character_of_member(self, member: int, title: int, near: Iterable[int] = ()) -> int:
        """The member's character in a title: where most of the tracks `near` are, else the largest, else a new one."""
        best = self.character_at(near, title)
        if best is not None and self.member_of[best] == member:
            return best
        own = [c for c, of in self.member_of.items() if of == member and self.title_of[c] == title]
        sizes = {c: int((self.character == c).sum()) for c in own}
        largest = max(own, key=lambda c: (sizes[c], -c), default=None)
        return self.new_character(title, member) if largest is None else largest

    def put(self, row: int, character: int, by: str) -> None:
        """A track becomes a character's, as somebody said."""
        self.character[row] = character
        self.reason.pop(row, None)
        self.said_by[row] = by

    def take_out(self, row: int, reason: str, by: str) -> None:
        """A track becomes Unknown, as somebody said."""
        self.character[row] = -1
        self.reason[row], self.said_by[row] = reason, by

    def join(self, keep: int, other: int) -> None:
        """Member `other` becomes part of member `keep`, in each title one character with it."""
        for character in [c for c, of in self.member_of.items() if of == other]:
            self.member_of[character] = keep
        for title in {self.title_of[c] for c, of in self.member_of.items() if of == keep}:
            own = [c for c, of in self.member_of.items() if of == keep and self.title_of[c] == title]
            own = [c for c in own if (self.character == c).any()]
            for character in own[1:]:
                self.character[self.character == character] = own[0]
        name, number = self.names.pop(other, None), self.numbers.pop(other, None)
        if name is not None and _goes_before(name, self.names.get(keep)):
            self.names[keep] = name
        if number is not None:
            self.numbers.setdefault(keep, number)

    def label(self, member: int | None) -> str:
        """What a sentence calls a member."""
        name = None if member is None else self.names.get(member)
        return name.name if name else "them"

    def seen_together(self, correction: Correction, rows: Sequence[int] | np.ndarray, others: object) -> bool:
        """Whether any of these tracks is seen with one of the others; then says so as the correction's problem."""
        pair = self.found.seen_with.clash(rows, others)  # type: ignore[arg-type]
        if pair is None:
            return False
        times_s = [self.places.faces(row)[1] for row in pair]  # empty where no anchor is of that title
        when = f" at {_clock(float(max(times[0] for times in times_s)))}" if all(map(len, times_s)) else ""
        tracks = " and ".join(str(self.found.track_id[row]) for row in pair)
        self.problems.append(
            Problem(
                correction,
                f"tracks {tracks} of {self.found.titles[self.found.title[pair[0]]]} are seen together{when}, so they "
                "are two people; if one of them is in the wrong place, take it out first",
            )
        )
        return True


def _goes_before(name: Naming, other: Naming | None) -> bool:
    """Whether a name replaces another one: a person's goes before a gallery's."""
    return other is None or name.confidence is None or other.confidence is not None


def _settled(state: _State, correction: Correction, rows: Sequence[int]) -> int:
    """The member that holds most of these tracks; where all are Unknown they become one."""
    member = state.member_at(rows)
    if member is None:
        member = state.new_member()
        for row in rows:
            state.put(row, state.character_of_member(member, int(state.found.title[row]), rows), correction.by)
    return member


def _together(state: _State, correction: Correction, member: int, other: int) -> int | None:
    """The member that two become, or None where they are seen together."""
    if member == other:
        return member
    if state.seen_together(correction, state.rows_of(member), state.rows_of(other)):
        return None
    state.join(member, other)
    return member


def _name(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    name = Naming(str(correction.name), correction.confidence, correction.by)
    member = state.member_at(tracks)
    if name.confidence is not None:
        held = state.names.get(member, name) if member is not None else None
        if held is None or (held.confidence is None and held is not name):
            return  # nobody is there, or a person has said who it is, or that it is to have no name
    member = _settled(state, correction, tracks)
    same = next((m for m, held in state.names.items() if held and held.name == name.name and m != member), None)
    if same is not None:
        joined = _together(state, correction, same, member)
        if joined is None:
            return
        member = joined
    state.names[member] = name


def _unname(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    member = state.member_at(tracks)
    if member is not None:
        state.names[member] = None


def _number(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    member = state.member_at(tracks)
    if member is None:
        return
    same = next((m for m, number in state.numbers.items() if number == correction.number and m != member), None)
    if same is not None:
        joined = _together(state, correction, same, member)
        if joined is None:
            return
        member = joined
    state.numbers[member] = int(correction.number or 0)


def _merge(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    member = _settled(state, correction, tracks)
    if _together(state, correction, member, _settled(state, correction, others)) is None:
        return
    # Those that a later run has put elsewhere: whoever merged had seen them as this person's.
    now = state.members()
    astray = [row for row in [*tracks, *others] if now[row] != member]
    _put_each(state, correction, astray, member, [*tracks, *others])


def _put_each(state: _State, correction: Correction, rows: list[int], member: int, near: list[int]) -> None:
    """Put tracks into a member's characters, but for those that are seen with it."""
    for row in rows:
        character = state.character_of_member(member, int(state.found.title[row]), near)
        own = np.flatnonzero(state.character == character)
        if not state.seen_together(correction, [row], own[own != row]):
            state.put(row, character, correction.by)


def _split(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    if state.seen_together(correction, tracks, tracks):
        return
    member = state.new_member()
    characters: dict[int, int] = {}
    for row in tracks:
        title = int(state.found.title[row])
        if title not in characters:
            characters[title] = state.new_character(title, member)
        state.put(row, characters[title], correction.by)


def _move(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    rest = [row for row in others if row not in tracks] or others
    member = _settled(state, correction, rest)
    _put_each(state, correction, tracks, member, rest)


def _different(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    member = state.member_at(others)
    if member is None:
        return
    who = f"not {state.label(member)}, says {correction.by}"
    apart: int | None = None
    for row in tracks:
        character = int(state.character[row])
        if character < 0 or state.member_of[character] != member:
            continue
        if character == state.character_at(others, int(state.found.title[row])):
            state.take_out(row, who, correction.by)
        else:  # a character of a title that was matched to them: it stays one, and is somebody else
            apart = state.new_member() if apart is None else apart
            state.member_of[character] = apart


def _out(reason: str) -> Callable[[_State, Correction, list[int], list[int]], None]:
    def take_out(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
        for row in tracks:
            state.take_out(row, f"{reason}, says {correction.by}", correction.by)

    return take_out


def _forget(state: _State, correction: Correction, tracks: list[int], others: list[int]) -> None:
    for row in tracks:
        state.take_out(row, "to be forgotten", correction.by)
    state.problems.append(
        Problem(correction, "somebody who is to be forgotten is still there; run `vcn-ray forget DIR` to remove them")
    )


_RULES: dict[Kind, Callable[[_State, Correction, list[int], list[int]], None]] = {
    Kind.NAME: _name,
    Kind.UNNAME: _unname,
    Kind.NUMBER: _number,
    Kind.MERGE: _merge,
    Kind.SPLIT: _split,
    Kind.MOVE: _move,
    Kind.DIFFERENT: _different,
    Kind.NOT_A_FACE: _out("not a face"),
    Kind.NOBODY: _out("nobody in particular"),
    Kind.FORGET: _forget,
}


def _contradicted(state: _State, done: Sequence[_Followed]) -> list[Problem]:
    """Corrections of people that no longer hold at the end, since somebody else said otherwise later."""
    refused = {problem.correction.id for problem in state.problems}
    problems = []
    for place, one in enumerate(done):
        if one.correction.id in refused or not one.correction.is_said_by_a_person or _holds(state, one):
            continue
        rows = {*one.tracks, *one.others}
        later = [o.correction for o in done[place + 1 :] if rows & {*o.tracks, *o.others} and o.correction.name is None]
        if one.correction.kind in (Kind.NAME, Kind.UNNAME):
            later = [o.correction for o in done[place + 1 :] if rows & {*o.tracks, *o.others}]
        against = later[-1] if later else None
        if against is not None and against.by == one.correction.by:
            continue  # who said it has thought again
        why = "what clustering finds now" if against is None else f"'{against.kind}' {against.id} by {against.by}"
        problems.append(Problem(one.correction, f"it no longer holds: {why} contradicts it; take one of them out"))
    return problems


def _holds(state: _State, one: _Followed) -> bool:
    """Whether what a correction says is so now."""
    kind = one.correction.kind
    tracks, others = state.member_at(one.tracks), state.member_at(one.others) if one.others else None
    if kind in (Kind.MERGE, Kind.MOVE):
        return tracks is not None and tracks == others
    if kind in (Kind.SPLIT, Kind.DIFFERENT):
        return tracks != others or tracks is None
    if kind is Kind.NAME:
        name = None if tracks is None else state.names.get(tracks)
        return name is not None and name.name == one.correction.name
    if kind in (Kind.NOT_A_FACE, Kind.NOBODY):
        return tracks is None
    return True
