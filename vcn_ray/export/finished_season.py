"""What an exporter is given: a finished season's tables, whole or the part that a user asks for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.errors import InputError, OptionError
from vcn_ray.schemas import CROPS

UNKNOWN = "Unknown"
#: Why a track is Unknown of which people said that it shows no face.
NOT_A_FACE = "not a face"

#: Pictures as displayed, with rising times: seconds after a video's first frame, and (h, w, 3) uint8 BGR of one size.
Stills = Iterator[tuple[float, np.ndarray]]


class _View(Protocol):
    """Rows of a table that are read when they are asked for."""

    def to_arrow(self) -> pa.Table:
        """The table."""


@dataclass(frozen=True)
class VideoFacts:
    """What an export tells of a video beside its tracks; None where it is not known: its title's working data is gone.

    `start_timecode` is that of the first frame, "10:00:00;00" where drop-frame, "" where the file has none;
    `timecode_given`: not the file says so, but whoever exports. `audio_channels` are those of all its sound, 0 where it
    is silent.
    """

    title: str
    video: str
    frames: int | None = None
    fps: float | None = None
    width_px: int | None = None
    height_px: int | None = None
    path: str | None = None  # file or URL that it was read from
    start_timecode: str | None = None
    timecode_given: bool = False
    audio_channels: int | None = None
    duration_s: float | None = None


class SeasonViews(Protocol):
    """A season as `season.season_result.SeasonResult` has it: the tables of a `FinishedSeason`, not read yet."""

    @property
    def faces(self) -> _View:
        """One row per detected face."""

    @property
    def tracks(self) -> _View:
        """One row per track."""

    @property
    def clusters(self) -> _View:
        """One row per character of a title."""


class FinishedSeason(Protocol):
    """The tables of a season, or of a part of it, see docs/output.md."""

    @property
    def faces(self) -> pa.Table:
        """One row per detected face (`schemas.SEASON_FACES`)."""

    @property
    def tracks(self) -> pa.Table:
        """One row per track (`schemas.SEASON_TRACKS`)."""

    @property
    def clusters(self) -> pa.Table:
        """One row per character of a title (`schemas.SEASON_CLUSTERS`)."""

    @property
    def videos(self) -> list[VideoFacts]:
        """The videos, in order."""

    def crops(self, title: str) -> pa.Table:
        """The pictures of a title's tracks (`schemas.CROPS`), of any part all of them; without rows where none are."""

    def stills(self, video: VideoFacts, every_s: float, max_side_px: int) -> Stills:
        """Pictures of a video itself, some `every_s` seconds; `InputError` where it is not there any more."""


def no_crops(title: str) -> pa.Table:
    """Of a season without pictures."""
    return CROPS.empty_table()


def no_stills(video: VideoFacts, every_s: float, max_side_px: int) -> Stills:
    """Of a season without videos: `InputError`."""
    raise InputError(f"{video.video}: where it lies is not known")


def part_of(
    season: SeasonViews,
    title: str | None = None,
    character: str | None = None,
    videos: Callable[[], list[VideoFacts]] = list,
    crops: Callable[[str], pa.Table] = no_crops,
    stills: Callable[[VideoFacts, float, int], Stills] = no_stills,
) -> FinishedSeason:
    """The rows of a season that are of one title, of one character, or both; tracks said to be no faces are left out.

    Args:
        season: all of it.
        title: None: all.
        character: as `character_names` gives it, or its number in the season's cast ('Cast 3' or 3); None: all.
        videos: tells of the videos of all titles, where a format asks; without it nothing is known of them.
        crops: reads a title's pictures, where a format asks.
        stills: decodes pictures of a video, where a format asks.

    Raises:
        OptionError: no track is of that title or character (the message has the nearest, or those that there are), or
            it is the name of one and the number of another.
    """
    of_title = _Part(season, title, None, videos, crops, stills)
    if title is not None and not of_title.tracks.num_rows:
        raise OptionError(f"no track is of a title {title!r}; {_nearest(title, season.tracks.to_arrow()['title'])}")
    part = _Part(season, title, character, videos, crops, stills)
    if character is not None:
        refuse_two(season, character)
    if character is not None and not part.tracks.num_rows:
        where = "" if title is None else f" of title {title!r}"
        known = _nearest(character, character_names(of_title.tracks))
        raise OptionError(f"no track{where} is of a character {character!r}; {known}")
    return part


def refuse_two(season: SeasonViews, character: str) -> None:
    """`OptionError` where what a user calls somebody is the name of one and the number of another."""
    if number_in(character).isdecimal():
        meant = set(_Part(season, None, character).tracks["cast_id"].to_pylist()) - {None}
        if len(meant) > 1:
            number = f"write 'Cast {character}' for the number, or " if character.isdecimal() else ""
            raise OptionError(
                f"{character!r} is the name of one and the number of another: {number}give the first another name"
            )


def number_in(who: str) -> str:
    """The number of the cast in what a user calls somebody, 'Cast 3' or '3'."""
    return who.removeprefix("Cast ")


def character_names(table: pa.Table) -> pa.ChunkedArray:
    """Who each row is, in the words of the season's page: a name, 'Cast 3', or 'Unknown'.

    Args:
        table: with the columns cast_id and character, as a `FinishedSeason` has them.
    """
    number = pc.binary_join_element_wise("Cast ", table["cast_id"].cast(pa.string()), "")
    return pc.coalesce(table["character"], number, UNKNOWN)


@dataclass(frozen=True)
class _Part:
    season: SeasonViews
    title: str | None = None
    character: str | None = None
    tell_videos: Callable[[], list[VideoFacts]] = list
    read_crops: Callable[[str], pa.Table] = no_crops
    decode_stills: Callable[[VideoFacts, float, int], Stills] = no_stills

    @cached_property
    def faces(self) -> pa.Table:
        faces = self._rows(self.season.faces.to_arrow())
        if self._no_faces.num_rows:
            keys = ["title", "track_id"]
            out = set(zip(*(self._no_faces[key].to_pylist() for key in keys), strict=True))
            kept = [pair not in out for pair in zip(*(faces[key].to_pylist() for key in keys), strict=True)]
            faces = faces.filter(pa.array(kept, pa.bool_()))
        return faces

    @cached_property
    def tracks(self) -> pa.Table:
        tracks = self._rows(self.season.tracks.to_arrow())
        return tracks.filter(pc.invert(_said_no_face(tracks)))

    @cached_property
    def clusters(self) -> pa.Table:
        return self._rows(self.season.clusters.to_arrow())

    @cached_property
    def videos(self) -> list[VideoFacts]:
        return [facts for facts in self.tell_videos() if self.title is None or facts.title == self.title]

    def crops(self, title: str) -> pa.Table:
        return self.read_crops(title)

    def stills(self, video: VideoFacts, every_s: float, max_side_px: int) -> Stills:
        return self.decode_stills(video, every_s, max_side_px)

    @cached_property
    def _no_faces(self) -> pa.Table:
        tracks = self.season.tracks.to_arrow()
        return tracks.filter(_said_no_face(tracks)).select(["title", "track_id"])

    def _rows(self, table: pa.Table) -> pa.Table:
        if self.title is not None:
            table = table.filter(pc.equal(table["title"], self.title))
        if self.character is not None:
            named = pc.equal(character_names(table), self.character)
            numbered = pc.equal(table["cast_id"].cast(pa.string()), number_in(self.character))
            table = table.filter(pc.or_kleene(named, numbered))
        return table


def _said_no_face(tracks: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(tracks["reason"], NOT_A_FACE), False)


def _nearest(wanted: str, known: pa.ChunkedArray) -> str:
    names = sorted(known.unique().to_pylist())
    near = difflib.get_close_matches(wanted, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"
