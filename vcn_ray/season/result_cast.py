"""Who a finished run found, as objects: the characters of its titles, and the cast that they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

import pyarrow.compute as pc

from vcn_ray.export.charts import span_text
from vcn_ray.export.notebook import MOST_ROWS, Picture, Timeline, TimelineLane, card
from vcn_ray.export.pictures import ICON
from vcn_ray.export.render import several
from vcn_ray.season.result_tables import Row, Rows
from vcn_ray.season.result_tracks import Appearance, Crops, Track, choose_crops, pictures_of

if TYPE_CHECKING:  # what is found from a person, and is made of persons itself
    import pandas as pd
    import pyarrow as pa

    from vcn_ray.season.result_titles import TitleResult
    from vcn_ray.season.season_result import SeasonResult


class Person(ABC):
    """Somebody with tracks: a character of a title, or a member of the season's cast."""

    def __init__(self, season: SeasonResult, row: Row):
        """Take a row of the season's table."""
        self.season = season
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
        for title in _titles_of(self):
            for video, duration_s in title.durations_s.items():
                own = [row for row in rows if (row["title"], row["video"]) == (title.id, video)]
                if own:
                    name = title.id if len(title.durations_s) == 1 else f"{title.id}, {video}"
                    lanes.append(TimelineLane(name, duration_s, own))
        return Timeline(lanes)

    def picture(self) -> list[Picture]:
        """The best picture in the size of a table's row; empty where there is none."""
        title, track_id, _ = self.best
        own = self.tracks if track_id is None else self.season.tracks.where(title=title, track_id=track_id)
        return pictures_of(list(own), 1, self.best, ICON)

    def _facts(self) -> str:
        return f"{span_text(self.screen_time_s)} on screen, {several(len(self.tracks), 'track')}"

    def _repr_html_(self) -> str:
        pictures = pictures_of(list(self.tracks), 8, self.best)
        where = ", ".join(title.id for title in _titles_of(self))
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

    def __init__(self, season: SeasonResult, row: Row):
        """Take a row of `schemas.SEASON_CLUSTERS`."""
        super().__init__(season, row)
        self.cluster_id: int = row["cluster_id"]  # unique in the title, by screen time
        self.cast_id: int | None = row["cast_id"]

    @property
    def label(self) -> str:
        """The name, or "Character 3" as the title's page says."""
        return self.name or f"Character {self.cluster_id}"

    @property
    def title(self) -> TitleResult:
        """The title that they are of."""
        return self.season.titles[self.row["title"]]

    @property
    def member(self) -> CastMember | None:
        """The member of the season's cast that they are."""
        return None if self.cast_id is None else self.season.cast[self.cast_id]

    @property
    def tracks(self) -> Rows[Track]:
        """Their tracks, in time."""
        return self.title.tracks.where(cluster_id=self.cluster_id)

    @property
    def best(self) -> tuple[str, int | None, int | None]:
        """Where the best picture is, see `Person.best`."""
        return self.row["title"], self.row["best_track_id"], self.row["best_frame"]

    @property
    def _key(self) -> tuple[object, ...]:
        return self.season.out, self.row["title"], self.cluster_id

    def __repr__(self) -> str:
        return f"Character({self.label!r}, {self.row['title']!r}, {span_text(self.screen_time_s)})"


class CastMember(Person):
    """A member of the season's cast: characters of its titles that are one person."""

    def __init__(self, season: SeasonResult, row: Row):
        """Take a row of `schemas.CAST`."""
        super().__init__(season, row)
        self.cast_id: int = row["cast_id"]  # by screen time over all titles; it can change when a title is added

    @property
    def label(self) -> str:
        """The name, or "Cast 3" as the season's page says."""
        return self.name or f"Cast {self.cast_id}"

    @property
    def titles(self) -> list[TitleResult]:
        """Where they are seen, in the order of the season."""
        return _titles_of(self)

    @property
    def characters(self) -> Rows[Character]:
        """The characters of the titles that are this person."""
        return self.season.characters.where(cast_id=self.cast_id)

    @property
    def tracks(self) -> Rows[Track]:
        """Their tracks, in the order of the season and in time."""
        return self.season.tracks.where(cast_id=self.cast_id)

    @property
    def best(self) -> tuple[str, int | None, int | None]:
        """Where the best picture is, see `Person.best`."""
        return self.row["best_title"], self.row["best_track_id"], self.row["best_frame"]

    @property
    def _key(self) -> tuple[object, ...]:
        return self.season.out, self.cast_id

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


def _titles_of(person: Person) -> list[TitleResult]:
    """The titles that somebody is seen in, in the order of the season."""
    return [person.season.titles[name] for name in pc.unique(person.tracks.to_arrow(["title"])["title"]).to_pylist()]
