"""The delivered tables as Parquet and CSV, per title and for the whole season.

Parquet holds the exact values. CSV is for spreadsheets and scripts: UTF-8, commas, a header, empty cells for null.
Spreadsheets run a cell that starts with ``=``, ``+``, ``-`` or ``@`` as a formula, so in the CSV such a text (a title,
file name or character's name) gets a leading apostrophe; numbers are never changed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from vcn_ray import schemas
from vcn_ray.storage import Store

#: The tables that a user gets, by name, with their schema.
DELIVERED: Mapping[str, pa.Schema] = {
    "faces": schemas.FACES,
    "tracks": schemas.TRACKS,
    "clusters": schemas.CLUSTERS,
}

# A tab or carriage return in front hides a formula from the eye but not from every spreadsheet.
_FORMULA = r"^[=+\-@\t\r]"


def to_csv(table: pa.Table) -> bytes:
    """A table as CSV, with text that a spreadsheet would run as a formula made harmless."""
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            column = table.column(index)
            safe = pc.if_else(
                pc.match_substring_regex(column, _FORMULA), pc.binary_join_element_wise("'", column, ""), column
            )
            table = table.set_column(index, field, safe)
    sink = io.BytesIO()
    pacsv.write_csv(table, sink, pacsv.WriteOptions(quoting_style="needed"))
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


def write_season_tables(store: Store, titles: Iterable[Store]) -> None:
    """Write the season's tables: those of all finished titles, one below the other in the given order.

    Args:
        store: the season's.
        titles: the stores of its finished titles; their Parquet tables are read.
    """
    titles = list(titles)
    for name, schema in DELIVERED.items():
        parts = [title.read_table(f"{name}.parquet").select(schema.names).cast(schema) for title in titles]
        write_tables(store, {name: pa.concat_tables(parts) if parts else schema.empty_table()})
