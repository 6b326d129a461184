"""A track of two people is cut before iteration 0, the same by any worker and after any death, in every table."""

from __future__ import annotations

import pyarrow as pa
import pytest
from support import tiny_title

from vcn_ray.pipeline import split_tables
from vcn_ray.pipeline.outputs.title_outputs import finish_title
from vcn_ray.schemas import CANNOT_LINK, TRACKS
from vcn_ray.storage.store import Store

#: Tracks 9 (person 0) and 10 (person 1) of the tiny title become one; its second part begins with frame 1000.
FIRST, SECOND, CUT = 9, 10, 1000
NEW = 12


def _put(store: Store, name: str, table: pa.Table, ids: list[int]) -> None:
    column = table.schema.get_field_index("track_id")
    store.write_table(f"tracks/{name}.parquet", table.set_column(column, "track_id", pa.array(ids, pa.int64())))


@pytest.fixture
def title(tmp_path):
    """The tiny title with a track that changes its person; track 2 is seen with its second part, 5 with its first."""
    store = Store(tmp_path / "work")
    tiny_title.make_title(store)
    for name in ("faces", "crops"):
        table = store.read_table(f"tracks/{name}.parquet")
        _put(store, name, table, [FIRST if t == SECOND else t for t in table["track_id"].to_pylist()])
    faces = store.read_table("tracks/faces.parquet").to_pylist()
    faces += [face | {"track_id": 2, "x": 500} for face in faces if face["frame"] == CUT]
    faces += [face | {"track_id": 5, "x": 500} for face in faces if face["frame"] == 100 * FIRST]
    schema = store.read_table("tracks/faces.parquet").schema
    store.write_table("tracks/faces.parquet", pa.Table.from_pylist(faces, schema))
    links = {"track_a": [0, 2, 5], "track_b": [1, FIRST, FIRST]}
    store.write_table("tracks/cannot_link.parquet", pa.table(links, schema=CANNOT_LINK))
    tracks = store.read_table("tracks/tracks.parquet").to_pylist()
    tracks[FIRST] |= {"last_frame": 1036, "faces": 8, "crops": 8}
    del tracks[SECOND]
    schema = store.read_table("tracks/tracks.parquet").schema
    store.write_table("tracks/tracks.parquet", pa.Table.from_pylist(tracks, schema))
    return store


def _finish(store, tmp_path, name="out"):
    results = Store(tmp_path / name)
    finish_title(store, "t", results, {"a.mp4": 0.04})
    return {key: results.read_table(f"{key}.parquet") for key in ("faces", "tracks", "crops", "iteration_clusters")}


@pytest.mark.parametrize("depth", ["head", "tail"])
def test_the_second_part_is_a_track_of_its_own_in_every_table(title, tmp_path, depth):
    tiny_title.adapt(title, {"depth": depth, "head_only_epochs": 1, "max_iterations": 1})
    tables = _finish(title, tmp_path)
    assert tables["tracks"].schema == TRACKS
    rows = {row["track_id"]: row for row in tables["tracks"].to_pylist()}
    assert sorted(rows) == [*range(SECOND), SECOND + 1, NEW]
    assert {track: row["split_from"] for track, row in rows.items() if row["split_from"] is not None} == {NEW: FIRST}
    assert (rows[FIRST]["last_frame"], rows[FIRST]["faces"], rows[FIRST]["crops"]) == (936, 4, 4)
    assert (rows[NEW]["first_frame"], rows[NEW]["last_frame"], rows[NEW]["faces"]) == (CUT, 1036, 4)
    for name in ("faces", "crops"):
        track, frame = (tables[name][column].to_numpy() for column in ("track_id", "frame"))
        assert set(track[(frame >= CUT) & (frame < CUT + 100)]) - {2} == {NEW}
        assert set(frame[track == FIRST]) == set(range(900, 937, 12))
    assert NEW in tables["iteration_clusters"]["track_id"].to_pylist()
    # Each part is with its own person, and linked apart from whom its own frames show beside it.
    clusters = [rows[track]["cluster_id"] for track in (FIRST, 0, NEW, 1)]
    assert clusters[0] == clusters[1] != clusters[2] == clusters[3]
    links = split_tables.read_cannot_link(title).to_pylist()
    assert {(row["track_a"], row["track_b"]) for row in links} == {(2, NEW), (5, FIRST)}
    jpegs = split_tables.read_crops(title, ["track_id", "frame", "jpeg"], NEW)
    assert jpegs["track_id"].to_pylist() == [NEW] * 4
    assert jpegs["frame"].to_pylist() == list(range(CUT, 1037, 12))


def test_a_title_without_errors_keeps_its_tables(tmp_path):
    store = Store(tmp_path / "work")
    tiny_title.make_title(store)
    tiny_title.adapt(store, {"max_iterations": 0})
    found = split_tables.read_tracks(store)
    assert found.split_from == {}
    for name in ("faces", "tracks", "crops"):
        assert getattr(found, name).equals(store.read_table(f"tracks/{name}.parquet"))
    assert split_tables.read_cannot_link(store).equals(store.read_table("tracks/cannot_link.parquet"))


def test_a_run_that_dies_before_its_splits_are_stored_or_after_resumes_to_the_same(title, tmp_path):
    tiny_title.adapt(title, {"max_iterations": 1})
    whole = _finish(title, tmp_path, "whole")
    for key in title.keys("split/"):
        title.delete(key)
    title.delete("split.done.json")
    tiny_title.adapt(title, {"max_iterations": 1})
    assert _finish(title, tmp_path, "again") == whole


def test_what_other_options_left_is_not_taken_for_this_run(title):
    """A run with other options dies after it has found its splits: the marker of the run before no longer holds."""
    tiny_title.adapt(title, {"max_iterations": 1})

    def die(*_):
        raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        tiny_title.adapt(title, {"max_iterations": 1, "quality_factor": 1.0}, die)
    assert not title.exists("adapt.done.json")


def test_parts_of_the_crops_that_are_not_used_follow_their_frames(title):
    """Of long tracks some crops are left out of adaptation; they are cut with the faces."""
    tiny_title.adapt(title, {"max_iterations": 0, "max_crops_per_track": 4})
    table = split_tables.read_tracks(title).crops
    track, frame = (table[column].to_numpy() for column in ("track_id", "frame"))
    assert set(track[(frame >= CUT) & (frame < CUT + 100)]) == {NEW}
