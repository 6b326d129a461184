"""Tracks of a season in a few words, with where they are seen and what was found: for corrections, without any file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from vcn_ray import schemas
from vcn_ray.corrections.anchoring import TitlePlaces, TrackPlaces
from vcn_ray.corrections.applying import Corrected, apply_corrections
from vcn_ray.corrections.correction import Correction, Kind, make_correction
from vcn_ray.corrections.found_tracks import FoundTracks

FRAMES_PER_SHOT, FPS, FACE_PX = 20, 25, 60


class Track(NamedTuple):
    """A track over a whole shot: two of one title and shot are seen together."""

    title: int
    shot: int
    place: int  # from the left
    cluster: int  # of the title, as found; -1: Unknown
    member: int  # as found; -1: Unknown


class Season:
    """Tracks as found (`found`), where they are (`places`), and an easy way to say something of them."""

    def __init__(self, tracks: Iterable[Track]):
        self.tracks = sorted(tracks, key=lambda track: track.title)
        titles = sorted({track.title for track in self.tracks})
        own = [[track for track in self.tracks if track.title == title] for title in titles]
        starts = np.cumsum([0, *map(len, own)])
        together = [
            (start + a, start + b)
            for start, tracks_ in zip(starts, own, strict=False)
            for b in range(len(tracks_))
            for a in range(b)
            if tracks_[a].shot == tracks_[b].shot
        ]
        self.found = FoundTracks(
            tuple(f"e{title}" for title in titles),
            np.array([titles.index(track.title) for track in self.tracks], np.int64),
            np.concatenate([np.arange(len(tracks_)) for tracks_ in own] or [np.empty(0, np.int64)]),
            np.array([track.cluster for track in self.tracks], np.int64),
            np.array([track.member for track in self.tracks], np.int64),
            np.array(together, np.int64).reshape(-1, 2),
        )
        self.places = TrackPlaces(
            [
                title_places(title, [faces(track) for track in tracks_])
                for title, tracks_ in zip(titles, own, strict=True)
            ]
        )

    def say(
        self,
        kind: str,
        rows: Sequence[int],
        others: Sequence[int] = (),
        by: str = "ann",
        **more: Any,
    ) -> Correction:
        """A correction of the tracks in these rows."""
        return make_correction(
            Kind(kind), map(self.places.anchor, rows), map(self.places.anchor, others), by=by, **more
        )


def faces(track: Track) -> list[tuple[int, float]]:
    """(frame, x) of each face of a track."""
    first = track.shot * FRAMES_PER_SHOT
    return [(first + nth, 100.0 + 150 * track.place + nth) for nth in range(FRAMES_PER_SHOT)]


def title_places(title: int, tracks: Sequence[Sequence[tuple[int, float]]], fingerprint: str = "") -> TitlePlaces:
    """A title of one video whose tracks are made of these faces (frame, x)."""
    video = f"e{title}.mp4"
    rows = [
        {"title": f"e{title}", "video": video, "frame": frame, "time_s": frame / FPS, "track_id": number}
        | {"x": x, "y": 80.0, "w": float(FACE_PX), "h": float(FACE_PX)}
        for number, own in enumerate(tracks)
        for frame, x in own
    ]
    table = pa.Table.from_pylist(rows, schemas.FACES)
    return TitlePlaces({video: fingerprint or f"print {title}"}, table, np.arange(len(tracks)))


def apply(season: Season, *said: Correction) -> Corrected:
    """The season with what was said."""
    return apply_corrections(season.found, season.places, said)


def people_of(corrected: Corrected) -> list[set[int]]:
    """The rows of each member of the cast."""
    return groups_of(corrected.member)


def groups_of(labels: np.ndarray) -> list[set[int]]:
    """The rows of each label, by the first; negative ones are none."""
    found = [set(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels[labels >= 0])]
    return sorted(found, key=min)


def names_of(corrected: Corrected) -> dict[str, set[int]]:
    """The rows of whoever has a name."""
    return {
        naming.name: set(np.flatnonzero(corrected.member == member).tolist())
        for member, naming in corrected.names.items()
        if (corrected.member == member).any()
    }


def check_invariants(season: Season, corrected: Corrected) -> None:
    """What holds of any season with corrections: nobody seen together becomes one, a character is of one title."""
    found, character, member = season.found, corrected.character, corrected.member
    for a, b in found.together.tolist():
        if found.member[a] < 0 or found.member[a] != found.member[b]:
            assert member[a] < 0 or member[a] != member[b]
            assert character[a] < 0 or character[a] != character[b]
    assert np.array_equal(character < 0, member < 0)
    for label in np.unique(character[character >= 0]):
        own = character == label
        assert len(np.unique(found.title[own])) == 1
        assert len(np.unique(member[own])) == 1
    for row in corrected.reason:
        assert character[row] == -1
    assert len({naming.name for naming in corrected.names.values()}) == len(corrected.names)
    assert len(set(corrected.numbers.values())) == len(corrected.numbers)
