"""What a later run's clustering is held to: tracks that people said are one, or two, or nobody.

Other than `applying`, this knows nothing of what clustering found: only what was said counts, so that what was found
once does not bind what will be found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.correction import Correction, Kind, TrackAnchor
from vcn_ray.corrections.correction_file import to_plain
from vcn_ray.corrections.found_tracks import SeenWith

#: What binds a title's clustering though it names no others, or none of the title.
_OF_TRACKS_ALONE = (Kind.NOT_A_FACE, Kind.NOBODY)
_NAMES = (Kind.NAME, Kind.UNNAME, Kind.NUMBER)


@dataclass(frozen=True)
class SaidOfTracks:
    """What people said of n tracks."""

    together: np.ndarray  # (n,) int64: tracks of one number, from 0, are one person; -1: nothing said
    apart: np.ndarray  # (pairs, 2) int64 rows: two people
    left_out: np.ndarray  # (n,) bool: no face, or nobody in particular
    one_by_one: np.ndarray  # (n,) bool: moved or split off; whoever was found with such a track is not meant

    @property
    def nothing(self) -> bool:
        """Whether nothing was said."""
        return not (self.together >= 0).any() and not len(self.apart) and not self.left_out.any()


def said_of_tracks(
    count: int, places: TrackPlaces, seen_with: SeenWith, corrections: Iterable[Correction]
) -> SaidOfTracks:
    """What people's corrections say of tracks, later ones going before; a gallery's guesses bind nobody.

    Args:
        count: tracks.
        places: where they are.
        seen_with: pairs of these are two people, whatever was said.
        corrections: in order; tracks that are gone are passed over.
    """
    groups = _Groups(count, seen_with)
    for correction in corrections:
        if not correction.is_said_by_a_person or correction.kind is Kind.FORGET:
            continue  # who is forgotten is not there to be clustered
        tracks = list(dict.fromkeys(row for anchor in correction.tracks for row in places.rows(anchor)))
        others = list(dict.fromkeys(row for anchor in correction.others for row in places.rows(anchor)))
        if tracks and (others or not correction.others):
            groups.follow(correction, tracks, others)
    return groups.said()


def of_title(corrections: Iterable[Correction], fingerprints: Collection[str]) -> list[Correction]:
    """What people said of the tracks of these videos that binds their clustering, with the tracks of others left out.

    Names do not: whoever is called what, the faces are the same. Nor does who said it, and when, and a file's name.
    """

    def own(anchors: Iterable[TrackAnchor]) -> tuple[TrackAnchor, ...]:
        return tuple(replace(anchor, file="", time_s=0.0) for anchor in anchors if anchor.video in fingerprints)

    kept = []
    for correction in corrections:
        tracks, others = own(correction.tracks), own(correction.others)
        alone = correction.kind in _OF_TRACKS_ALONE or (correction.kind is Kind.SPLIT and len(tracks) > 1)
        if tracks and (others or alone) and correction.kind not in _NAMES and correction.is_said_by_a_person:
            kept.append(replace(correction, tracks=tracks, others=others, by="", at="", id=""))
    return kept


def plain_links(corrections: Iterable[Correction], fingerprints: Collection[str]) -> list[dict[str, Any]]:
    """What `of_title` keeps, as plain values."""
    return to_plain(of_title(corrections, fingerprints))


class _Groups:
    """Tracks in groups that are one person each; a track goes by its group's number."""

    def __init__(self, count: int, seen_with: SeenWith):
        self._group = np.arange(count)
        self._fresh = count
        self._seen_with = seen_with
        self._names: dict[int, str] = {}
        self._apart: list[tuple[int, int]] = []
        self._left_out = np.zeros(count, bool)
        self._placed = np.zeros(count, bool)  # said to be somebody, with others or alone
        self._one_by_one = np.zeros(count, bool)

    def follow(self, correction: Correction, tracks: list[int], others: list[int]) -> None:
        """Take in what one says; what cannot be, says nothing."""
        kind = correction.kind
        if kind is Kind.SPLIT and self._seen_with.clash(tracks, tracks) is not None:
            return
        if kind in (Kind.NOT_A_FACE, Kind.NOBODY):
            self._leave(tracks)
            self._left_out[tracks] = True
            return
        if kind in (Kind.NAME, Kind.UNNAME):
            group = self._join(tracks)
            self._names.pop(group, None)
            if kind is Kind.NAME:
                same = [g for g, name in self._names.items() if name == correction.name]
                members = np.flatnonzero(np.isin(self._group, [group, *same]))
                self._names[self._join(members.tolist())] = str(correction.name)
        elif kind is Kind.MERGE:
            self._join([*tracks, *others])
        elif kind is Kind.MOVE:
            rest = [row for row in others if row not in tracks] or others
            moved = [row for row in tracks if row not in rest]
            self._leave(moved)
            self._join([*rest, *tracks])
            self._one_by_one[moved] = True
        elif kind is Kind.SPLIT:
            self._leave(tracks)
            self._join(tracks)
            self._one_by_one[tracks] = True
        elif kind is Kind.DIFFERENT:
            self._leave([row for row in tracks if self._group[row] in self._group[others]])
        if kind in (Kind.SPLIT, Kind.DIFFERENT):
            self._apart += [(row, other) for row in tracks for other in others]
        else:  # two that have become one are no longer two, wherever they go then
            self._apart = [(a, b) for a, b in self._apart if self._group[a] != self._group[b]]

    def said(self) -> SaidOfTracks:
        """All of it: pairs that have become one person since, or nobody, are left out."""
        people = [int(np.flatnonzero(self._group == group)[0]) for group in self._names if (self._group == group).any()]
        pairs = [*self._apart, *((a, b) for place, a in enumerate(people) for b in people[:place])]
        out = self._left_out
        # All of them, though one for two groups says the same: a track may take no part in clustering.
        apart = {(min(a, b), max(a, b)) for a, b in pairs if self._group[a] != self._group[b] and not out[[a, b]].any()}
        placed = self._placed & ~out
        together = np.full(len(out), -1, np.int64)
        together[placed] = np.unique(self._group[placed], return_inverse=True)[1]
        as_rows = np.array(sorted(apart), np.int64).reshape(-1, 2)
        return SaidOfTracks(together, as_rows, out.copy(), self._one_by_one & placed)

    def _leave(self, rows: list[int]) -> None:
        """Each of these tracks becomes a group of its own, of which nothing is said."""
        self._placed[rows] = self._one_by_one[rows] = False
        self._group[rows] = np.arange(self._fresh, self._fresh + len(rows))
        self._fresh += len(rows)

    def _join(self, rows: list[int]) -> int:
        """The groups of these tracks become the first one's, but for those that are seen with it; that one's number."""
        first = int(self._group[rows[0]])
        for group in dict.fromkeys(self._group[rows].tolist()):
            members = np.flatnonzero(self._group == group)
            if group != first:
                if self._seen_with.clash(members, np.flatnonzero(self._group == first)) is not None:
                    continue
                self._group[members] = first
                name = self._names.pop(group, None)
                if name is not None:
                    self._names.setdefault(first, name)
        joined = [row for row in rows if self._group[row] == first]
        self._placed[joined], self._left_out[joined] = True, False
        return first
