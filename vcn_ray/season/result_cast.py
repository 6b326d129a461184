"""Who a finished run found, as objects: the characters of its titles, and the cast that they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import pyarrow.compute as pc

from vcn_ray.export.charts import span_text
from vcn_ray.export.notebook import MOST_ROWS, Picture, Timeline, TimelineLane, card
from vcn_ray.export.pictures import ICON
from vcn_ray.export.render import several
from vcn_ray.schemas import CAST, SEASON_CLUSTERS, SEASON_FACES, SEASON_TRACKS
from vcn_ray.season.result_tables import ResultStore, Row, Rows
from vcn_ray.season.result_tracks import Appearance, Crops, Face, Track, choose_crops, pictures_of

if TYPE_CHECKING:  # pandas takes a while to import
    import pandas as pd
    import pyarrow as pa


class SeasonTables:
    """The tables of a finished run as rows that are objects, read when asked for.

    Args:
        store: what is read.
    """

    def __init__(self, store: ResultStore):
        self.store = store

    @cached_property
    def cast(self) -> Cast:
        """Who is in the season, whatever the title, by screen time (`schemas.CAST`)."""
        return Cast(Rows(self.store.season_table("cast", CAST), lambda row: CastMember(self, row), "member"))

    @cached_property
    def characters(self) -> Rows[Character]:
        """The characters of each title (`schemas.SEASON_CLUSTERS`)."""
        table = self.store.season_table("clusters", SEASON_CLUSTERS)
        return Rows(table, lambda row: Character(self, row), "character")

    @cached_property
    def tracks(self) -> Rows[Track]:
        """All tracks, in the order of the season and in time (`schemas.SEASON_TRACKS`)."""
        table = self.store.season_table("tracks", SEASON_TRACKS)
        columns = ["title", "shot", "first_time_s", "track_id"]
        order = lambda: self.store.in_order(table.read(columns))  # noqa: E731  # read when it is needed
        return Rows(table, lambda row: Track(self.store, row), "track", order)

    @cached_property
    def faces(self) -> Rows[Face]:
        """All faces of all tracks, a row a frame and track (`schemas.SEASON_FACES`)."""
        return Rows(self.store.season_table("faces", SEASON_FACES), lambda row: Face(**row), "face")


class Person(ABC):
    """Somebody with tracks: a character of a title, or a member of the season's cast."""

    def __init__(self, tables: SeasonTables, row: Row):
        """Take a row of the season's table."""
        self.tables = tables
        self.row = row
        self.name: str | None = row["character"]  # that people gave; None until then
        self.screen_time_s: float = row["screen_time_s"] or 0.0  # total time of frames in which they are seen
        self.face_count: int = row["faces"]

    @property
    @abstractmethod
    def label(self) -> str:
        """The name, or the number as the pages say it."""

    @property
    @abstractmethod
    def tracks(self) -> Rows[Track]:
        """Their tracks, in the order of the season and in time."""

    @property
    @abstractmethod
    def best(self) -> tuple[str, int | None, int | None]:
        """Where the best picture is: title, track_id, frame; the latter two None where there is no picture."""

    @property
    def titles(self) -> list[str]:
        """Ids of the titles that they are seen in, in the order of the season."""
        return pc.unique(self.tracks.to_arrow(["title"])["title"]).to_pylist()

    def appearances(self) -> list[Appearance]:
        """When they are on screen, a row a track, in the order of the season and in time."""
        return [track.appearance for track in self.tracks]

    def crops(self, n: int = 12) -> Crops:
        """Up to `n` of their pictures: the best first, then of different tracks, spread over time, as on the pages.

        `OutputError` where the pictures are gone.
        """
        return choose_crops(list(self.tracks), n, self.best)

    def timeline(self) -> Timeline:
        """When they are on screen: a lane for each video in which they are seen."""
        rows = self.tracks.to_arrow().to_pylist()
        lanes = []
        for title in self.titles:
            durations_s = self.tables.store.durations_s(title, self.tables.tracks.where(title=title).to_arrow())
            for video, duration_s in durations_s.items():
                own = [row for row in rows if (row["title"], row["video"]) == (title, video)]
                if own:
                    name = title if len(durations_s) == 1 else f"{title}, {video}"
                    lanes.append(TimelineLane(name, duration_s, own))
        return Timeline(lanes)

    def picture(self) -> list[Picture]:
        """The best picture in the size of a table's row; empty where there is none."""
        title, track_id, _ = self.best
        own = self.tracks if track_id is None else self.tables.tracks.where(title=title, track_id=track_id)
        return pictures_of(list(own), 1, self.best, ICON)

    def _facts(self) -> str:
        return f"{span_text(self.screen_time_s)} on screen, {several(len(self.tracks), 'track')}"

    def _repr_html_(self) -> str:
        pictures = pictures_of(list(self.tracks), 8, self.best)
        where = ", ".join(self.titles)
        return card(self.label, [self._facts(), where], pictures=pictures, chart=self.timeline())

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Person) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    @abstractmethod
    def _key(self) -> tuple[object, ...]: ...


class Character(Person):
    """A character of one title: tracks that show one person."""

    def __init__(self, tables: SeasonTables, row: Row):
        """Take a row of `schemas.SEASON_CLUSTERS`."""
        super().__init__(tables, row)
        self.title: str = row["title"]
        self.cluster_id: int = row["cluster_id"]  # unique in the title, by screen time
        self.cast_id: int | None = row["cast_id"]
        self.one_person: float | None = row["one_person"]  # probability that their tracks are one person's
        self.is_person: float | None = row["is_person"]  # that it is somebody, no heap of blurs or things

    @property
    def label(self) -> str:
        """The name, or "Character 3" as the title's page says."""
        return self.name or f"Character {self.cluster_id}"

    @property
    def tracks(self) -> Rows[Track]:
        """Their tracks, in time."""
        return self.tables.tracks.where(title=self.title, cluster_id=self.cluster_id)

    @property
    def best(self) -> tuple[str, int | None, int | None]:
        """Where the best picture is, see `Person.best`."""
        return self.title, self.row["best_track_id"], self.row["best_frame"]

    @property
    def _key(self) -> tuple[object, ...]:
        return self.tables.store.out, self.title, self.cluster_id

    def __repr__(self) -> str:
        return f"Character({self.label!r}, {self.title!r}, {span_text(self.screen_time_s)})"


class CastMember(Person):
    """A member of the season's cast: characters of its titles that are one person."""

    def __init__(self, tables: SeasonTables, row: Row):
        """Take a row of `schemas.CAST`."""
        super().__init__(tables, row)
        self.cast_id: int = row["cast_id"]  # by screen time over all titles; it can change when a title is added

    @property
    def label(self) -> str:
        """The name, or "Cast 3" as the season's page says."""
        return self.name or f"Cast {self.cast_id}"

    @property
    def characters(self) -> Rows[Character]:
        """The characters of the titles that are this person."""
        return self.tables.characters.where(cast_id=self.cast_id)

    @property
    def tracks(self) -> Rows[Track]:
        """Their tracks, in the order of the season and in time."""
        return self.tables.tracks.where(cast_id=self.cast_id)

    @property
    def best(self) -> tuple[str, int | None, int | None]:
        """Where the best picture is, see `Person.best`."""
        return self.row["best_title"], self.row["best_track_id"], self.row["best_frame"]

    @property
    def _key(self) -> tuple[object, ...]:
        return self.tables.store.out, self.cast_id

    def __repr__(self) -> str:
        return f"CastMember({self.label!r}, {several(self.row['titles'], 'title')}, {span_text(self.screen_time_s)})"


class Cast(Sequence[CastMember]):
    """The season's cast by screen time: a member by ``cast_id`` or by name, several by a slice."""

    def __init__(self, rows: Rows[CastMember]):
        self._rows = rows

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The table `cast` as pyarrow's."""
        return self._rows.to_arrow(columns)

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The table `cast` as pandas'."""
        return self._rows.to_pandas(columns)

    def where(self, **values: Any) -> Rows[CastMember]:
        """The members whose columns have these values, as `Rows.where`."""
        return self._rows.where(**values)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, key: int | str) -> CastMember: ...
    @overload
    def __getitem__(self, key: slice) -> list[CastMember]: ...
    def __getitem__(self, key: int | str | slice) -> CastMember | list[CastMember]:
        if not isinstance(key, str):
            return self._rows[key]
        names = self.to_arrow(["character"])["character"].to_pylist()
        found = [place for place, name in enumerate(names) if name == key]
        if not found:
            known = ", ".join(sorted({name for name in names if name is not None}))
            raise KeyError(f"nobody is called {key}; names given: {known or 'none'}")
        if len(found) > 1:
            raise KeyError(f"members {', '.join(map(str, found))} are called {key}: take one by its number")
        return self._rows[found[0]]

    def __iter__(self) -> Iterator[CastMember]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"<cast of {len(self)}>"

    def _repr_html_(self) -> str:
        return card(
            f"Cast of {len(self)}",
            columns=["", "member", "on screen", "titles", "tracks"],
            rows=person_rows(self[:MOST_ROWS], titles=True),
            left_out=max(0, len(self) - MOST_ROWS),
        )


def person_rows(people: Sequence[CastMember] | Sequence[Character], titles: bool = False) -> list[list[str | Picture]]:
    """Rows of a card's table: picture, label, screen time, with `titles` how many, tracks."""
    return [
        [
            *(one.picture() or ("",)),
            one.label,
            span_text(one.screen_time_s),
            *([str(one.row["titles"])] if titles else []),
            str(one.row["tracks"]),
        ]
        for one in people
    ]
