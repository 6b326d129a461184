"""What the formats of markers share: one marker a frame where a program holds no more, and a colour a character."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from vcn_ray.export.editorial.appearances import Appearance, appearances_of
from vcn_ray.export.editorial.sources import Clip, Cut, Source, source_of
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, write_per_video

#: Writes a video's appearances to a file.
MarkerWriter = Callable[[Source, list[Appearance], Path], None]


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


def whole(source: Source) -> Cut:
    """A timeline of all of a video, under its own time codes."""
    return Cut(source.name, (Clip(source, 0, source.frames),))


def write_markers(
    season: FinishedSeason, path: Path, ending: str, write: MarkerWriter, plays: bool = False
) -> list[str]:
    """Write a marker file a video; see `by_video.write_per_video` for path, ending, what is returned and raised.

    `plays`: the file is a timeline of the video's, so that it counts whether that is found and has sound.
    """

    def write_one(video: VideoTracks, own: Path) -> Iterable[str]:
        source, remarks = source_of(video)
        write(source, appearances_of(season, video, source.clock), own)
        return remarks if plays else source.clock.remarks

    return write_per_video(season, path, ending, write_one)
