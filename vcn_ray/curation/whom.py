"""Whom a name or a number means in a finished season: their tracks, and what these leave."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.calibration import Calibration
from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.correction import Correction, Kind
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.curation.applying import RECORD_KEY
from vcn_ray.curation.traces import Traces, traces_of
from vcn_ray.errors import OptionError
from vcn_ray.export.finished_season import UNKNOWN, part_of, refuse_two
from vcn_ray.pipeline.outputs.cast import stored_cast
from vcn_ray.pipeline.outputs.found import FinishedTitle, found_tracks, track_places
from vcn_ray.pipeline.outputs.season_outputs import finished_titles
from vcn_ray.storage.store import Store


def names_in(character: str | None) -> tuple[str, ...]:
    """What can be searched for of whom a user names: nothing, where it is a number of the cast."""
    return () if character is None or re.fullmatch(r"(Cast )?\d+", character) else (character,)


def own_calibration(out: Store) -> Calibration | None:
    """The calibration that a season's options give, if any."""
    given = out.read_json(RECORD_KEY).get("options", {}).get("cluster", {}).get("calibration")
    return None if given is None else Calibration.model_validate(given)


@dataclass(frozen=True)
class Person:
    """A member of a season's cast; or somebody who is not there any more, with a name alone."""

    label: str
    name: str | None
    names: tuple[str, ...]  # to search for
    rows: Sequence[int]


@dataclass(frozen=True)
class NamedSeason:
    """A finished season with its corrections in its tables."""

    titles: Sequence[FinishedTitle]
    found: FoundTracks
    places: TrackPlaces
    tables: _Tables
    corrections: Sequence[Correction]
    calibration: Calibration | None  # of its options

    @classmethod
    def read(cls, out: Store) -> NamedSeason:
        """From its folder."""
        titles = finished_titles(out)
        found = found_tracks(titles, stored_cast(out).characters)
        places = track_places(titles, found)
        return cls(titles, found, places, _Tables(out), read_corrections(out), own_calibration(out))

    def find(self, character: str | None, or_nobody: bool) -> Person:
        """Whom a name or number means.

        Args:
            character: a name, 'Cast 3', or a number; None: nobody.
            or_nobody: whether it may be somebody who is gone from the tables already; then a number means nobody, since
                numbers have moved.

        Raises:
            OptionError: nobody is called so, or several are.
        """
        if character is None:
            if not or_nobody:
                raise OptionError("--character: say whom to forget; a name, 'Cast 3' or a number of the cast")
            return Person("who was to be forgotten", None, (), ())
        refuse_two(self.tables, character)
        try:
            tracks = part_of(self.tables, character=character).tracks
        except OptionError:
            if not or_nobody:
                raise
            return Person(character, character, names_in(character), ())
        tracks = tracks.filter(tracks["cast_id"].is_valid())
        numbers = pc.unique(tracks["cast_id"]).to_pylist()
        if not numbers:
            raise OptionError(f"--character {UNKNOWN}: these are many people; give a name or a number of the cast")
        row_of = self._row_of
        rows = [row_of[row["title"], row["track_id"]] for row in tracks.select(["title", "track_id"]).to_pylist()]
        name = tracks["character"][0].as_py()
        if or_nobody and name != character:
            return Person(character, None, (), ())
        return Person(name or f"Cast {numbers[0]}", name, self._names(rows, name), rows)

    def _names(self, rows: Sequence[int], name: str | None) -> tuple[str, ...]:
        """What a person was ever called, but for what is somebody else's name now."""
        present = set(self.tables.clusters.to_arrow()["character"].to_pylist())
        former = {
            str(one.name)
            for one in self.corrections
            if one.kind is Kind.NAME and {r for anchor in one.tracks for r in self.places.rows(anchor)} & set(rows)
        }
        return tuple(sorted((former - present) | ({name} if name is not None else set())))

    @property
    def _row_of(self) -> dict[tuple[str, int], int]:
        titles = np.array(self.found.titles, dtype=object)[self.found.title].tolist()
        return {pair: row for row, pair in enumerate(zip(titles, self.found.track_id.tolist(), strict=True))}

    def by_title(self, rows: Iterable[int]) -> dict[str, list[int]]:
        """Numbers of tracks by the folder of their title."""
        tracks: dict[str, list[int]] = {}
        for row in rows:
            slug = self.titles[int(self.found.title[row])].results.name
            tracks.setdefault(slug, []).append(int(self.found.track_id[row]))
        return tracks

    def traces(self, rows: Iterable[int], names: Iterable[str]) -> Traces:
        """What these tracks leave."""
        return traces_of(self.titles, self.by_title(rows), names, self.calibration)


@dataclass(frozen=True)
class _Tables:
    """As `finished_season.SeasonViews`."""

    out: Store

    @property
    def faces(self) -> _Table:
        return _Table(self.out, "faces")

    @property
    def tracks(self) -> _Table:
        return _Table(self.out, "tracks")

    @property
    def clusters(self) -> _Table:
        return _Table(self.out, "clusters")


@dataclass(frozen=True)
class _Table:
    out: Store
    name: str

    def to_arrow(self) -> pa.Table:
        return self.out.read_table(f"{self.name}.parquet")
