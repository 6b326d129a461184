"""Cutting tracks: where, and the tables after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.schemas import SPLITS, STAGE1_FACES
from vcn_ray.tracks.duplicates import cannot_links
from vcn_ray.tracks.splitting import plan_splits, split_table, split_track_ids


def _faces(*tracks: list[tuple[int, float]]) -> pa.Table:
    """From (frame, x) of each track's faces."""
    rows: list[dict[str, Any]] = [
        {"video": "v.mp4", "frame": frame, "x": x, "y": 0, "w": 40, "h": 50, "score": 0.9, "track_id": number}
        for number, faces in enumerate(tracks)
        for frame, x in faces
    ]
    return pa.Table.from_pylist(rows, schema=STAGE1_FACES)


def test_a_track_is_cut_at_the_jump_between_the_crops():
    jumping = [(n, 10 if n < 17 else 30) for n in range(40)]
    splits = plan_splits(_faces(jumping), [(0, 12, 24)], 5)
    assert splits.to_pylist() == [{"track_id": 0, "first_frame": 17, "new_track_id": 5}]


def test_a_jump_outside_the_crops_does_not_count_and_the_first_of_equals_does():
    jumping = [(n, 10 if n < 30 else 30) for n in range(40)]
    assert plan_splits(_faces(jumping), [(0, 12, 24)], 1)["first_frame"].to_pylist() == [13]


def test_new_tracks_are_numbered_in_order_of_track_and_frame():
    still = [(n, 10) for n in range(40)]
    changes = [(1, 10, 11), (0, 20, 21), (0, 5, 6)]
    splits = plan_splits(_faces(still, still), changes, 2)
    assert [tuple(row.values()) for row in splits.to_pylist()] == [(0, 6, 2), (0, 21, 3), (1, 11, 4)]
    assert plan_splits(_faces(still, still), changes[::-1], 2).equals(splits)


@given(st.lists(st.integers(1, 29), unique=True), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30))))
def test_each_part_holds_the_frames_from_its_cut_to_the_next(cuts, rows):
    cuts = sorted(cuts)
    splits = pa.table({"track_id": [1] * len(cuts), "first_frame": cuts, "new_track_id": range(7, 7 + len(cuts))})
    tracks, frames = np.array(rows, np.int64).reshape(-1, 2).T
    after = split_track_ids(tracks, frames, splits.cast(SPLITS))
    for track, frame, new in zip(tracks, frames, after, strict=True):
        part = sum(cut <= frame for cut in cuts)
        assert new == (track if track != 1 or part == 0 else 6 + part)


def test_each_part_is_linked_apart_from_the_tracks_that_its_own_frames_meet():
    faces = _faces([(n, 10) for n in range(40)], [(n, 100) for n in range(5)], [(n, 200) for n in range(30, 45)])
    assert cannot_links(faces) == [(0, 1), (0, 2)]
    splits = pa.table({"track_id": [0], "first_frame": [20], "new_track_id": [3]}, schema=SPLITS)
    after = split_table(faces, splits)
    assert after.schema == faces.schema
    assert cannot_links(after) == [(0, 1), (2, 3)]


def test_detections_without_a_track_keep_none():
    faces = _faces([(0, 10), (1, 10)])
    faces = faces.set_column(faces.schema.get_field_index("track_id"), "track_id", pa.array([None, 0], pa.int64()))
    splits = pa.table({"track_id": [0], "first_frame": [0], "new_track_id": [3]}, schema=SPLITS)
    assert split_table(faces, splits)["track_id"].to_pylist() == [None, 3]
