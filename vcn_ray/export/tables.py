"""The delivered tables as Parquet and CSV, per title and for the whole season.

Parquet holds the exact values. CSV is for spreadsheets and scripts: UTF-8, commas, a header, empty cells for null.
Spreadsheets run a cell that starts with ``=``, ``+``, ``-`` or ``@`` as a formula, so in the CSV such a text (a title,
file name or character's name) gets a leading apostrophe; numbers are never changed.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from vcn_ray import schemas
from vcn_ray.errors import OutputError
from vcn_ray.storage.store import Store

#: The tables that a user gets of a title, by name, with their schema.
DELIVERED: Mapping[str, pa.Schema] = {
    "faces": schemas.FACES,
    "tracks": schemas.TRACKS,
    "clusters": schemas.CLUSTERS,
}

#: The same of the season, where they have the cast as well.
DELIVERED_OF_SEASON: Mapping[str, pa.Schema] = {
    "faces": schemas.SEASON_FACES,
    "tracks": schemas.SEASON_TRACKS,
    "clusters": schemas.SEASON_CLUSTERS,
}

# A tab or carriage return in front hides a formula from the eye but not from every spreadsheet.
_FORMULA = r"^[=+\-@\t\r]"


def to_csv(table: pa.Table, *, header: bool = True) -> bytes:
    """A table as CSV, with text that a spreadsheet would run as a formula made harmless."""
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            column = table.column(index)
            safe = pc.if_else(
                pc.match_substring_regex(column, _FORMULA), pc.binary_join_element_wise("'", column, ""), column
            )
            table = table.set_column(index, field, safe)
    sink = io.BytesIO()
    pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=header, quoting_style="needed"))
    return sink.getvalue()


def write_tables(store: Store, tables: Mapping[str, pa.Table]) -> None:
    """Write tables as ``NAME.parquet`` and ``NAME.csv``.

    Args:
        store: the title's, or the season's.
        tables: by name, of `DELIVERED`; each is cast to its schema, so a wrong column fails here and not at a reader's.
    """
    for name, table in tables.items():
        schema = DELIVERED[name]
        table = table.select(schema.names).cast(schema)
        store.write_table(f"{name}.parquet", table, schema)
        store.write_bytes(f"{name}.csv", to_csv(table))


def write_season_tables(store: Store, titles: Iterable[tuple[Store, Mapping[int, int]]]) -> None:
    """Write the season's tables: those of all finished titles, one below the other in the given order.

    They grow in files of this machine's temporary folder, so that one title's tables are in memory at a time.

    Args:
        store: the season's.
        titles: of each finished title its store, whose Parquet tables are read, and the member of the cast that each
            of its clusters is: cluster_id -> cast_id.

    Raises `OutputError` where the temporary folder cannot be written.
    """
    titles = list(titles)
    for name, schema in DELIVERED_OF_SEASON.items():
        with tempfile.TemporaryDirectory(prefix="vcn-ray-") as folder:
            try:
                _concatenate(name, schema, titles, Path(folder))
            except OSError as error:
                raise OutputError(
                    f"cannot write the season's {name} into {tempfile.gettempdir()}: {error.strerror or error}; "
                    "free some space there, or name another folder in the environment variable TMPDIR"
                ) from error
            for kind in ("parquet", "csv"):
                store.write_file(f"{name}.{kind}", Path(folder) / kind)


def _concatenate(name: str, schema: pa.Schema, titles: Iterable[tuple[Store, Mapping[int, int]]], folder: Path) -> None:
    """Write the titles' tables of this name into the files ``parquet`` and ``csv`` of a local folder."""
    with (
        pq.ParquetWriter(folder / "parquet", schema, compression="zstd", store_schema=True) as parquet,
        open(folder / "csv", "wb") as csv,
    ):
        csv.write(to_csv(schema.empty_table()))
        for title, cast_of_cluster in titles:
            table = schemas.as_schema(title.read_table(f"{name}.parquet"), DELIVERED[name])
            cast = _cast_ids(table["cluster_id"], cast_of_cluster)
            table = table.append_column("cast_id", cast).select(schema.names).cast(schema).combine_chunks()
            parquet.write_table(table)
            csv.write(to_csv(table, header=False))


def _cast_ids(cluster_id: pa.ChunkedArray, cast_of_cluster: Mapping[int, int]) -> pa.Array:
    """The cast member of each row's cluster; null where it has none."""
    cluster = pc.fill_null(cluster_id, -1).to_numpy()
    number = np.full(int(cluster.max(initial=-1)) + 2, -1, np.int64)  # its last row, -1, is what Unknown (-1) picks
    for old, new in cast_of_cluster.items():
        number[old] = new
    cast = number[cluster]
    return pa.array(cast, pa.int64(), mask=cast < 0)
