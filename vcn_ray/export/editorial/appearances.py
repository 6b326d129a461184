"""When each character is on screen, in frames of a video's clock: what markers and timelines are made of."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.finished_season import UNKNOWN, FinishedSeason, character_names
from vcn_ray.export.formats.by_video import VideoTracks, one_line

_COLUMNS = ["first_frame", "last_frame", "first_time_s", "last_time_s", "confidence", "cast_id", "name"]


@dataclass(frozen=True)
class Appearance:
    """A character on screen without a break, in one track or in several that touch or overlap.

    `first` and `end` (exclusive) are frames of the clock, counted from the video's first; `confidence` is the mean of
    its tracks', each weighted by its length, None where none has any; `number` is the character's own, for colours.
    """

    who: str  # in one line
    first: int
    end: int
    confidence: float | None
    number: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.end - self.first

    @property
    def note(self) -> str:
        """What an editor may want to know beside the name; a word comes first, see `marker_lists`."""
        length = f"lasts {self.frames} frame{'s' * (self.frames != 1)}"
        return length if self.confidence is None else f"confidence {self.confidence:.2f}, {length}"


def appearances_of(season: FinishedSeason, video: VideoTracks, clock: Clock) -> list[Appearance]:
    """A video's appearances by first frame and name.

    Tracks of nobody known are left out, but where there are no others: whoever exports has asked for them alone.
    """
    tracks = season.tracks
    tracks = tracks.append_column("name", character_names(tracks))
    if pc.any(pc.not_equal(tracks["name"], UNKNOWN)).as_py():
        tracks = tracks.filter(pc.not_equal(tracks["name"], UNKNOWN))
    numbers = _numbers(tracks)
    facts = video.facts
    own = tracks.filter(pc.and_(pc.equal(tracks["title"], facts.title), pc.equal(tracks["video"], facts.video)))
    rows = own.select(_COLUMNS).sort_by([("name", "ascending"), ("first_frame", "ascending")]).to_pylist()
    found = []
    for name, tracks_of_one in groupby(rows, key=lambda row: row["name"]):
        who = one_line(name)
        spans: list[list[tuple[int, int, float | None]]] = []
        for row in tracks_of_one:
            first = clock.frame(row["first_time_s"], row["first_frame"])
            span = first, clock.end(row["last_time_s"], row["last_frame"]), row["confidence"]
            if spans and first <= max(end for _, end, _ in spans[-1]):
                spans[-1].append(span)
            else:
                spans.append([span])
        found += [_appearance(who, span, numbers[name]) for span in spans]
    return sorted(found, key=lambda one: (one.first, one.who))


def _appearance(who: str, span: list[tuple[int, int, float | None]], number: int) -> Appearance:
    known = [(end - first, confidence) for first, end, confidence in span if confidence is not None]
    frames = sum(length for length, _ in known)
    mean = sum(length * confidence for length, confidence in known) / frames if frames else None
    return Appearance(who, min(first for first, _, _ in span), max(end for _, end, _ in span), mean, number)


def _numbers(tracks: pa.Table) -> dict[str, int]:
    """A number for each name, the same in every export: of the season's cast, or made of the name where in none."""
    smallest = tracks.group_by("name").aggregate([("cast_id", "min")])
    names, numbers = smallest["name"].to_pylist(), smallest["cast_id_min"].to_pylist()
    return {
        name: zlib.crc32(name.encode("utf-8", "surrogatepass")) if number is None else number
        for name, number in zip(names, numbers, strict=True)
    }
