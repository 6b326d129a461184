"""What the formats of markers share: one marker a frame where a program holds no more, and a colour a character."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from vcn_ray.export.editorial.appearances import Appearance, appearances_of
from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, write_per_video

#: Writes a video's appearances to a file.
MarkerWriter = Callable[[VideoTracks, Clock, list[Appearance], Path], None]


@dataclass(frozen=True)
class Marker:
    """A marker on one or more characters that come at one frame; as long as the longest, coloured as the first."""

    first: int
    end: int
    name: str
    note: str
    number: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.end - self.first


def markers_of(appearances: Iterable[Appearance]) -> list[Marker]:
    """One marker a frame, of appearances by first frame: those that begin together are one, with all their names."""
    markers = []
    for first, together in groupby(appearances, key=lambda one: one.first):
        several = list(together)
        alone = len(several) == 1
        markers.append(
            Marker(
                first,
                max(one.end for one in several),
                " + ".join(one.who for one in several),
                several[0].note if alone else "; ".join(f"{one.note} ({one.who})" for one in several),
                several[0].number,
            )
        )
    return markers


def colour(palette: Sequence[str], number: int) -> str:
    """A character's colour of a program's own; it comes again where there are more characters than colours."""
    return palette[number % len(palette)]


def write_markers(season: FinishedSeason, path: Path, ending: str, write: MarkerWriter) -> list[str]:
    """Write a marker file a video; see `by_video.write_per_video` for path, ending, what is returned and raised."""

    def write_one(video: VideoTracks, own: Path) -> tuple[str, ...]:
        clock = Clock.of(video)
        write(video, clock, appearances_of(season, video, clock), own)
        return clock.remarks

    return write_per_video(season, path, ending, write_one)
