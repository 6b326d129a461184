"""The delivered tables keep the contract: nothing is dropped, Unknown has a reason, numbers go by screen time."""

import numpy as np
import pyarrow as pa
import pytest

from vcn_ray.cluster.characters import TrackLabels, found_table, title_tables
from vcn_ray.schemas import CLUSTERS, CROPS, FACES, FOUND, STAGE1_FACES, STAGE1_TRACKS, TRACKS


@pytest.fixture
def stage1():
    """Track 1: 2 faces; 2: 6 faces; 3: 2 faces in frames of track 2's cluster; 4: no crop; one face without track."""
    spans = {1: (0, 2), 2: (10, 16), 3: (14, 16), 4: (20, 21)}
    rows = [(frame, track) for track, (a, b) in spans.items() for frame in range(a, b)] + [(30, None)]
    faces = (
        pa.table(
            {
                "video": ["a.mp4"] * len(rows),
                "frame": [f for f, _ in rows],
                "time_s": [f / 25 for f, _ in rows],
                "shot": [0] * len(rows),
                **{c: [1.0] * len(rows) for c in ("x", "y", "w", "h", "score", "sharpness")},
                "landmarks": [[0.0] * 10] * len(rows),
                "verdict": pa.nulls(len(rows), pa.string()),
                "track_id": [t for _, t in rows],
            }
        )
        .select(STAGE1_FACES.names)
        .cast(STAGE1_FACES)
    )
    tracks = pa.table(
        {
            "video": ["a.mp4"] * 4,
            "shot": [0] * 4,
            "track_id": list(spans),
            "first_frame": [a for a, _ in spans.values()],
            "last_frame": [b - 1 for _, b in spans.values()],
            "first_time_s": [a / 25 for a, _ in spans.values()],
            "last_time_s": [(b - 1) / 25 for _, b in spans.values()],
            "faces": [b - a for a, b in spans.values()],
            "crops": [1, 2, 1, 0],
            "reason": [None, None, None, "too small"],
        }
    ).cast(STAGE1_TRACKS)
    crops = pa.table(
        {
            "track_id": [1, 2, 2, 3],
            "video": ["a.mp4"] * 4,
            "frame": [0, 10, 15, 14],
            "score": [0.9, 0.5, 0.8, 0.9],
            "sharpness": [1.0] * 4,
            "jpeg": [b""] * 4,
        }
    ).cast(CROPS)
    return faces, tracks, crops


def _labels(cluster, reasons=(None, None, None), **characters):
    return TrackLabels(
        np.array([1, 2, 3]), np.array(cluster), np.array([0.9, 0.8, 0.7]), list(reasons), [0.9, None, 0.5], **characters
    )


def test_schemas_and_rows_are_kept(stage1):
    tables = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 1, 1]))
    assert tables.faces.schema == FACES
    assert tables.tracks.schema == TRACKS
    assert tables.clusters.schema == CLUSTERS
    assert len(tables.faces) == len(stage1[0]) - 1  # the detection that no track took
    assert len(tables.tracks) == len(stage1[1])


def test_longest_on_screen_is_number_zero_and_shared_frames_count_once(stage1):
    tables = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 7, 7]))
    assert tables.clusters["tracks"].to_pylist() == [2, 1]
    assert tables.clusters["faces"].to_pylist() == [8, 2]
    assert tables.clusters["screen_time_s"].to_pylist() == pytest.approx([6 * 0.04, 2 * 0.04])
    assert tables.tracks["cluster_id"].to_pylist() == [1, 0, 0, None]


def test_every_unknown_track_says_why_and_no_clustered_one_does(stage1):
    tables = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 0, -1], (None, None, "low quality")))
    assert tables.tracks["reason"].to_pylist() == [None, None, "low quality", "too small"]
    assert tables.tracks["status"].to_pylist() == ["clustered", "clustered", "unknown", "unknown"]


def test_tracks_carry_how_probable_their_character_is(stage1):
    tracks = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, -1, 0], (None, "low quality", None))).tracks
    assert tracks["confidence"].to_pylist() == [pytest.approx(0.9), None, 0.5, None]  # track 4 has no crop


def test_characters_carry_what_is_known_of_them(stage1):
    known = {"one_person": [0.75, 0.5, 0.5], "is_person": [0.25, None, None]}
    tables = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 7, 7], **known))  # 7 is longest on screen
    assert tables.clusters["one_person"].to_pylist() == [0.5, 0.75]
    assert tables.clusters["is_person"].to_pylist() == [None, 0.25]
    found = found_table(tables).select(FOUND.names).cast(FOUND)
    assert found["one_person"].to_pylist() == [0.75, 0.5, 0.5, None]
    assert found["is_person"].to_pylist() == [0.25, None, None, None]


def test_of_tracks_that_say_different_things_one_stranger_or_one_person_is_enough(stage1):
    known = {"one_person": [1.0, 0.5, None], "is_person": [0.25, 0.75, None]}
    clusters = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 0, 0], **known)).clusters.to_pylist()
    assert (clusters[0]["one_person"], clusters[0]["is_person"]) == (0.5, 0.75)


def test_where_nothing_is_known_of_characters_it_is_null(stage1):
    clusters = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 1, 1])).clusters
    assert clusters["one_person"].null_count == clusters["is_person"].null_count == 2


def test_faces_carry_their_tracks_cluster(stage1):
    faces = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 1, 1])).faces
    expected = {1: 1, 2: 0, 3: 0, 4: None}
    assert all(
        expected[t] == c for t, c in zip(*(faces[n].to_pylist() for n in ("track_id", "cluster_id")), strict=True)
    )
    assert faces["quality"].to_pylist()[-1] is None  # of track 4, which has no crop


def test_best_crop_is_a_confident_one_of_a_good_track(stage1):
    clusters = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([0, 1, 1])).clusters.to_pylist()
    assert (clusters[0]["best_track_id"], clusters[0]["best_frame"]) == (2, 15)


def test_a_title_without_characters_has_empty_but_valid_tables(stage1):
    tables = title_tables("t", *stage1, {"a.mp4": 0.04}, _labels([-1, -1, -1], ("low quality",) * 3))
    assert len(tables.clusters) == 0
    assert tables.clusters.schema == CLUSTERS
    assert set(tables.faces["cluster_id"].to_pylist()) == {None}
