"""The tables of a finished run as a notebook wants them: read when needed, a column at a time; rows as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.export.pictures import CropIndex
from vcn_ray.export.render import several
from vcn_ray.schemas import CROPS
from vcn_ray.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Row = Mapping[str, Any]

_ROWS_AT_ONCE = 1000  # made into objects while a view is gone through
_PICTURES_KEPT = 4096  # of some 5 kB
_TITLES_KEPT = 2  # whose pictures are held in memory: some 40 MB an hour of video


class LazyTable:
    """A stored table, of which each column is read when it is first asked for. Columns that it lacks are null.

    Args:
        schema: its columns, of which an older run may have written fewer.
        load: reads the columns named, as far as they are there.
    """

    def __init__(self, schema: pa.Schema, load: Callable[[list[str]], pa.Table]):
        self.schema = schema
        self._load = load
        self._columns: dict[str, pa.ChunkedArray] = {}

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """These columns, or all; `KeyError` where there is none of the name."""
        names = self.schema.names if columns is None else list(columns)
        for name in names:
            if name not in self.schema.names:
                raise KeyError(f"no column {name}; there are {', '.join(self.schema.names)}")
        missing = [name for name in names if name not in self._columns]
        if missing:
            found = self._load(missing)
            for name in missing:
                kind = self.schema.field(name).type
                self._columns[name] = (
                    found[name].cast(kind)
                    if name in found.column_names
                    else pa.chunked_array([pa.nulls(found.num_rows, kind)])
                )
        return pa.table([self._columns[name] for name in names], pa.schema([self.schema.field(name) for name in names]))


class Rows(Sequence[T]):
    """Rows of a table as objects, made when asked for: by position, in a loop, as a list by a slice.

    Args:
        table: whose rows they are.
        make: the object of a row.
        noun: what a row is.
        places: positions of the rows in the table, in the order wanted; None: all of them as they are.
    """

    def __init__(
        self,
        table: LazyTable,
        make: Callable[[Row], T],
        noun: str,
        places: Callable[[], np.ndarray] | np.ndarray | None = None,
    ):
        self._table, self._make, self._noun, self._given_places = table, make, noun, places

    @cached_property
    def _places(self) -> np.ndarray | None:
        return self._given_places() if callable(self._given_places) else self._given_places

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows as a pyarrow table; with `columns`, only these are read."""
        table = self._table.read(columns)
        return table if self._places is None else table.take(pa.array(self._places))

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows as a pandas table; with `columns`, only these are read."""
        return self.to_arrow(columns).to_pandas()

    def where(self, **values: Any) -> Rows[T]:
        """The rows whose columns have these values (None: null), such as ``where(title="s01e01", cluster_id=None)``."""
        keep = np.ones(len(self), bool)
        for name, value in values.items():
            column = self.to_arrow([name])[name]
            same = pc.is_null(column) if value is None else pc.equal(column, pa.scalar(value, column.type))
            keep &= pc.fill_null(same, False).to_numpy()
        places = np.flatnonzero(keep) if self._places is None else self._places[keep]
        return Rows(self._table, self._make, self._noun, places)

    def __len__(self) -> int:
        if self._places is not None:
            return len(self._places)
        return self._table.read(self._table.schema.names[:1]).num_rows

    @overload
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> list[T]: ...
    def __getitem__(self, key: int | slice) -> T | list[T]:
        at = range(len(self))[key]  # IndexError where there is none
        if isinstance(at, range):
            return [self[place] for place in at]
        place = at if self._places is None else int(self._places[at])
        return self._make(self._table.read().slice(place, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[T]:
        table = self.to_arrow()
        for start in range(0, table.num_rows, _ROWS_AT_ONCE):
            yield from map(self._make, table.slice(start, _ROWS_AT_ONCE).to_pylist())

    def __repr__(self) -> str:
        return f"<{several(len(self), self._noun)}>"


class ResultStore:
    """Reads what a run wrote, as little of it as is asked for.

    Args:
        out: folder or URL of the results.
        folders: of each title, by id, in the order of the season.
    """

    def __init__(self, out: str, folders: Mapping[str, str]):
        self.out, self.folders = out, folders
        self._out = Store(out)
        self.title_table = lru_cache(None)(self._title_table)
        self._all_jpegs = lru_cache(_TITLES_KEPT)(self._read_jpegs)
        self._crops: dict[str, pa.Table] = {}
        self.jpeg = lru_cache(_PICTURES_KEPT)(self._read_jpeg)

    def season_table(self, name: str, schema: pa.Schema) -> LazyTable:
        """A table of the season; without rows where all titles failed."""
        return LazyTable(schema, lambda columns: self._read(self._out, name, schema, columns))

    def _title_table(self, slug: str, name: str, schema: pa.Schema) -> LazyTable:
        """A table of one title, the same object each time."""
        return LazyTable(schema, lambda columns: self._title(slug).read_table(f"{name}.parquet", columns))

    def titles_table(self, titles: Mapping[str, str], name: str, schema: pa.Schema) -> LazyTable:
        """A table that titles have each, one below the other, with the title in front.

        titles: folder of each, by id.
        """
        with_title = pa.schema([pa.field("title", pa.string()), *schema])

        def load(columns: list[str]) -> pa.Table:
            parts = [pa.schema([with_title.field(column) for column in columns]).empty_table()]
            for title, slug in titles.items():
                own = self.title_table(slug, name, schema).read()
                own = own.add_column(0, with_title.field(0), pa.array([title] * own.num_rows, pa.string()))
                parts.append(own.select(columns))
            return pa.concat_tables(parts)

        return LazyTable(with_title, load)

    def durations_s(self, title: str, tracks: pa.Table) -> dict[str, float]:
        """Length of each video of a title in seconds, by its name in the tables, in the order of the title.

        tracks: of the title; of a video whose record is gone, the end of its last track is told.
        """
        store = self._title(self.folders[title])
        record = store.read_json("title.json") if store.exists("title.json") else {}
        known = {video["video"]: video["duration_s"] for video in record.get("videos", [])}
        for row in tracks.select(["video", "last_time_s"]).to_pylist():
            known[row["video"]] = max(known.get(row["video"], 0.0), row["last_time_s"])
        return known

    def in_order(self, table: pa.Table) -> np.ndarray:
        """Rows of a table of tracks in the order of the season, and in time within a title.

        table: its columns title, shot, first_time_s and track_id are read.
        """
        place = {title: n for n, title in enumerate(self.folders)}
        of_title = np.array([place.get(title, len(place)) for title in table["title"].to_pylist()], np.int64)
        # Shots are numbered through a title's videos.
        keys = (table[name].to_numpy() for name in ("track_id", "first_time_s", "shot"))
        return np.lexsort((*keys, of_title))

    def where(self, slug: str, key: str) -> str:
        """Path or URL of a file of a title."""
        return self._title(slug).where(key)

    def crops(self, slug: str) -> pa.Table:
        """A title's crops (`schemas.CROPS`) without the pictures."""
        if slug not in self._crops:
            columns = ["track_id", "video", "frame", "score", "sharpness"]
            self._crops[slug] = self._title(slug).read_table("crops.parquet", columns)
        return self._crops[slug]

    def crop_index(self, tracks: Sequence[tuple[str, int]]) -> tuple[CropIndex, list[tuple[str, int]]]:
        """The crops of tracks of several titles, as if they were one title's.

        Args:
            tracks: (folder of the title, track_id) of each track.

        Returns:
            An index in which a track's id is its position in `tracks`, and of each of its rows the title's folder and
            the row in its table of crops.
        """
        schema = pa.schema([CROPS.field(name) for name in ("track_id", "frame", "score", "sharpness")])
        parts, rows = [schema.empty_table()], list[tuple[str, int]]()
        for slug in dict.fromkeys(slug for slug, _ in tracks):
            crops = self.crops(slug)
            positions = pa.array([n for n, (own, _) in enumerate(tracks) if own == slug], pa.int64())
            wanted = pa.array([track for own, track in tracks if own == slug], pa.int64())
            position = positions.take(pc.index_in(crops["track_id"], wanted).combine_chunks())
            part = crops.set_column(crops.schema.get_field_index("track_id"), schema.field("track_id"), position)
            kept = pc.indices_nonzero(pc.is_valid(position))
            parts.append(part.select(schema.names).take(kept).cast(schema))
            rows += [(slug, row) for row in kept.to_pylist()]
        return CropIndex(pa.concat_tables(parts)), rows

    def _read_jpeg(self, slug: str, row: int) -> bytes:
        """The picture in this row of a title's table of crops, which has them in one piece."""
        return self._all_jpegs(slug)[row].as_py()

    def _read_jpegs(self, slug: str) -> pa.ChunkedArray:
        return self._title(slug).read_table("crops.parquet", ["jpeg"])["jpeg"]

    @staticmethod
    def _read(store: Store, name: str, schema: pa.Schema, columns: list[str]) -> pa.Table:
        key = f"{name}.parquet"
        return store.read_table(key, columns) if store.exists(key) else schema.empty_table()

    def _title(self, slug: str) -> Store:
        return self._out.child("titles", slug)
