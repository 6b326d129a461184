"""The tables that are handed over: exact in Parquet, safe in a spreadsheet, together for the season."""

import csv
import io

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from vcn_ray import schemas
from vcn_ray.export.tables import to_csv, write_season_tables, write_tables
from vcn_ray.storage import Store


def _tables(report):
    return {"faces": report.faces, "tracks": report.tracks, "clusters": report.clusters}


def test_parquet_gives_back_exactly_what_was_written(tmp_path, small_report):
    store = Store(tmp_path)
    write_tables(store, _tables(small_report))
    for name, table in _tables(small_report).items():
        assert store.read_table(f"{name}.parquet").equals(table)


def test_csv_holds_the_same_values(tmp_path, small_report):
    store = Store(tmp_path)
    write_tables(store, _tables(small_report))
    for name, table in _tables(small_report).items():
        types = pacsv.ConvertOptions(column_types=table.schema, strings_can_be_null=True)
        read = pacsv.read_csv(io.BytesIO(store.read_bytes(f"{name}.csv")), convert_options=types)
        assert read.to_pylist() == table.to_pylist()


def test_null_is_an_empty_cell(small_report):
    rows = list(csv.DictReader(io.StringIO(to_csv(small_report.tracks).decode())))
    assert [row["cluster_id"] for row in rows[-2:]] == ["", ""]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text):
    table = pa.table({"character": [text], "x": pa.array([-1.5], pa.float32())})
    row = next(csv.DictReader(io.StringIO(to_csv(table).decode(), newline="")))
    assert row == {"character": "'" + text, "x": "-1.5"}


@pytest.mark.parametrize("text", ["Anna", "a=b", 'the "Duke", jr.', "two\nlines", "'quoted'", "1-2", "日本"])
def test_other_text_stays_as_it_is(text):
    row = next(csv.DictReader(io.StringIO(to_csv(pa.table({"name": [text]})).decode(), newline="")))
    assert row["name"] == text


def test_a_table_that_lacks_a_column_is_refused(tmp_path, small_report):
    with pytest.raises(KeyError, match="track_id"):
        write_tables(Store(tmp_path), {"tracks": small_report.tracks.drop(["track_id"])})


def test_season_tables_are_the_titles_one_below_the_other(tmp_path, make_report):
    season = Store(tmp_path)
    reports = [make_report([("a.mp4", 0.0, 4.0, 0, None)] * n, title=f"e{n}") for n in (2, 1)]
    for report in reports:
        write_tables(season.child("titles", report.title), _tables(report))
    write_season_tables(season, [season.child("titles", report.title) for report in reports])
    assert season.read_table("tracks.parquet")["title"].to_pylist() == ["e2", "e2", "e1"]
    assert season.read_bytes("clusters.csv").count(b"\n") == 1 + 2


def test_a_season_without_finished_title_has_empty_tables(tmp_path):
    write_season_tables(Store(tmp_path), [])
    assert Store(tmp_path).read_table("faces.parquet").schema.equals(schemas.FACES)
    assert Store(tmp_path).read_table("faces.parquet").num_rows == 0
