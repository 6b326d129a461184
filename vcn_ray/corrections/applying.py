"""Corrections brought to what clustering found: who each track shows, and what people are called.

In the order of the file, so that a later correction goes before an earlier one. What cannot be done is named and leaves
the rest as it is: a track that is gone, two people seen together said to be one, an earlier correction that a later
one of somebody else takes back.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.corrected_season import CorrectedSeason, Naming, Problem, clock
from vcn_ray.corrections.correction import Correction, Kind, TrackAnchor
from vcn_ray.corrections.forgotten import forgotten_rows
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.corrections.rules import RULES

#: Whatever sets where single tracks belong; `tracks` of these are meant one by one.
_OF_TRACKS = (Kind.SPLIT, Kind.MOVE, Kind.DIFFERENT, Kind.NOT_A_FACE, Kind.NOBODY)


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
    corrections = list(corrections)
    state = CorrectedSeason(found, places)
    done: list[_Followed] = []
    for correction in corrections:
        tracks, gone = _rows(places, correction.tracks)
        if correction.kind is Kind.FORGET:  # whoever is gone is as was wanted
            tracks, gone = sorted(forgotten_rows(places, [correction])), []
        others, others_gone = _rows(places, correction.others)
        missing = [*(gone if correction.kind in _OF_TRACKS or not tracks else []), *(others_gone if not others else [])]
        if missing:
            state.problems.append(Problem(correction, f"{_named(missing)} not found any more"))
        # Whom tracks were split from may be gone: they are one person all the same.
        if tracks and (others or not correction.others or correction.kind is Kind.SPLIT):
            done.append(_Followed(correction, tracks, others))
            done[-1].follow(state)
    state.problems += _contradicted(state, done)
    return Corrected(
        state.character,
        state.member,
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

    def follow(self, state: CorrectedSeason) -> None:
        """Bring it to the season."""
        RULES[self.correction.kind](state, self.correction, self.tracks, self.others)


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
    shown = ", ".join(f"{anchor.file} at {clock(anchor.time_s)}" for anchor in anchors[:most])
    more = f" and {len(anchors) - most} more" if len(anchors) > most else ""
    return f"{'track' if len(anchors) == 1 else 'tracks'} {shown}{more} {'is' if len(anchors) == 1 else 'are'}"


def _contradicted(state: CorrectedSeason, done: Sequence[_Followed]) -> list[Problem]:
    """Corrections of people that no longer hold at the end, since somebody else said otherwise later."""
    refused = {problem.correction.id for problem in state.problems}
    broken = [
        place
        for place, one in enumerate(done)
        if one.correction.is_said_by_a_person and one.correction.id not in refused and not _holds(state, one)
    ]
    if not broken:
        return []
    # Followed once more, to see which one it is that ended each of them last.
    again = CorrectedSeason(state.found, state.places)
    held: dict[int, bool] = {}
    ended_by: dict[int, Correction] = {}
    for place, one in enumerate(done):
        one.follow(again)
        for earlier in broken[: bisect.bisect_right(broken, place)]:
            holds = _holds(again, done[earlier])
            if held.get(earlier) and not holds:
                ended_by[earlier] = one.correction
            held[earlier] = holds
    problems = []
    for place in broken:
        said, against = done[place].correction, ended_by.get(place)
        if against is not None and against.by == said.by:
            continue  # who said it has thought again
        why = "what clustering finds now" if against is None else f"'{against.kind}' {against.id} by {against.by}"
        problems.append(Problem(said, f"it no longer holds: {why} contradicts it; take one of them out"))
    return problems


def _holds(state: CorrectedSeason, one: _Followed) -> bool:
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
