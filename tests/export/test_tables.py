"""The tables that are handed over: exact in Parquet, safe in a spreadsheet, together for the season."""

import csv
import errno
import io

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from vcn_ray import schemas
from vcn_ray.errors import OutputError
from vcn_ray.export.tables import DELIVERED_OF_SEASON, to_csv, write_season_tables, write_tables
from vcn_ray.storage.store import Store


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


def _season(tmp_path, make_report):
    """Two titles of two tracks and one; the first has an Unknown track."""
    season = Store(tmp_path)
    tracks = [("a.mp4", 0.0, 4.0, 0, None), ("a.mp4", 5.0, 9.0, None, "too small")]
    for title, own in (("=e2", tracks), ("e1", tracks[:1])):
        write_tables(season.child("titles", title), _tables(make_report(own, title=title)))
    casts = [("=e2", {0: 7}), ("e1", {0: 3})]
    write_season_tables(season, [(season.child("titles", title), cast) for title, cast in casts])
    return season


def test_season_tables_are_the_titles_one_below_the_other_with_their_cast(tmp_path, make_report):
    season = _season(tmp_path, make_report)
    assert season.read_table("tracks.parquet")["title"].to_pylist() == ["=e2", "=e2", "e1"]
    for name, expected in {"faces": [7, None, 3], "tracks": [7, None, 3], "clusters": [7, 3]}.items():
        table = season.read_table(f"{name}.parquet")
        assert table["cast_id"].to_pylist() == expected
        assert table.schema.equals(DELIVERED_OF_SEASON[name])
        assert pq.ParquetFile(tmp_path / f"{name}.parquet").num_row_groups == 2  # a reader of one title reads one
        assert "cast_id" not in season.child("titles", "e1").read_table(f"{name}.parquet").column_names


def test_csv_of_the_season_is_that_of_its_whole_table(tmp_path, make_report):
    season = _season(tmp_path, make_report)
    for name in DELIVERED_OF_SEASON:
        assert season.read_bytes(f"{name}.csv") == to_csv(season.read_table(f"{name}.parquet"))


def test_one_title_at_a_time_is_in_memory(tmp_path, make_report, monkeypatch):
    season = Store(tmp_path)
    for title in ("a", "b"):
        write_tables(season.child(title), _tables(make_report([("a.mp4", 0.0, 4.0, 0, None)], title=title)))
    steps = []

    class Watched(Store):
        def read_table(self, key):
            steps.append("read")
            return super().read_table(key)

    write = pacsv.write_csv
    monkeypatch.setattr(pacsv, "write_csv", lambda *args: (steps.append("write"), write(*args))[1])
    write_season_tables(season, [(Watched(tmp_path / title), {0: 0}) for title in ("a", "b")])
    assert steps == ["write", *["read", "write"] * 2] * 3


def test_a_temporary_folder_that_is_full_is_named(tmp_path, make_report, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "ParquetWriter", full)
    with pytest.raises(
        OutputError, match=r"season's faces into .*: No space left on device; free some space .* TMPDIR"
    ):
        write_season_tables(Store(tmp_path), [])


def test_a_season_without_finished_title_has_empty_tables(tmp_path):
    write_season_tables(Store(tmp_path), [])
    assert Store(tmp_path).read_table("faces.parquet").schema.equals(schemas.SEASON_FACES)
    assert Store(tmp_path).read_table("faces.parquet").num_rows == 0
