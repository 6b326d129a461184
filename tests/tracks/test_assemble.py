"""Putting a title together: cannot-links, joining across the lines that cut long takes, names."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray import schemas
from vcn_ray.errors import InputError
from vcn_ray.tracks import judge
from vcn_ray.tracks.assemble import TitleTracks, assemble_title
from vcn_ray.tracks.extract import GRID, ShardResult
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.video_info import VideoInfo

Track = tuple[range, tuple[float, float, float, float]]


@pytest.fixture(scope="module")
def info(videos, tmp_path_factory) -> VideoInfo:
    path = tmp_path_factory.mktemp("assemble") / "v.mp4"
    return probe_video(videos.write(path, [videos.stamped(n) for n in range(120)]))


def _shard(shots: list[tuple[int, str, list[Track]]], verdict: str | None = None) -> ShardResult:
    """A shard's tables from (first frame, transition, tracks as frames and box)."""
    faces: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    count = 0
    for number, (first, transition, tracks) in enumerate(shots):
        heads.append(
            {"video": "v.mp4", "shot": number, "first_frame": first, "last_frame": first, "transition": transition}
        )
        for frames, box in tracks:
            faces += [
                {"video": "v.mp4", "frame": n, "time_s": n / 24, "shot": number, **dict(zip("xywh", box, strict=True))}
                | {"score": 0.9, "verdict": verdict, "track_id": count, "landmarks": _landmarks(box)}
                for n in frames
            ]
            count += 1
    return ShardResult(
        pa.Table.from_pylist(faces, schema=schemas.STAGE1_FACES),
        pa.Table.from_pylist(heads, schema=schemas.SHOTS),
        schemas.CROPS.empty_table(),
        {},
    )


def _landmarks(box: tuple[float, float, float, float]) -> list[float]:
    x, y, w, h = box
    return [
        v for a, b in ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)) for v in (x + a * w, y + b * h)
    ]


def _title(info: VideoInfo, *shards: ShardResult) -> TitleTracks:
    return assemble_title([(info, list(shards))])


def _links(title: TitleTracks) -> list[tuple[int, int]]:
    return list(zip(title.cannot_link["track_a"].to_pylist(), title.cannot_link["track_b"].to_pylist(), strict=True))


LEFT, MIDDLE, RIGHT = (10, 20, 30, 40), (60, 20, 30, 40), (110, 20, 30, 40)
ON_LEFT = (12, 24, 24, 30)


def test_faces_seen_together_are_two_people(info):
    title = _title(info, _shard([(0, "start", [(range(20), LEFT), (range(10, 30), RIGHT), (range(25, 40), LEFT)])]))
    assert _links(title) == [(0, 1), (1, 2)]


def test_two_boxes_on_one_face_are_one_track(info):
    alone = [(range(20), LEFT), (range(5, 9), RIGHT)]
    title = _title(info, _shard([(0, "start", [*alone, (range(10, 30), ON_LEFT)])]))
    assert title.tracks["faces"].to_pylist() == [30, 4]
    assert title.tracks["last_frame"].to_pylist() == [29, 8]
    assert _links(title) == [(0, 1)]
    assert title.faces["track_id"].null_count == 10  # the other face of each frame that both have


@pytest.mark.parametrize(
    ("crops", "kept"), [([(1, 12), (1, 16)], [12, 16]), ([(0, 3), (1, 12), (1, 16)], [3]), ([(1, 12), (1, 25)], [25])]
)
def test_a_joined_track_keeps_crops_of_faces_that_went_only_where_it_has_no_others(info, crops, kept):
    """Of frames 10 to 19, which both tracks have, the first one's faces stay."""
    shard = _shard([(0, "start", [(range(20), LEFT), (range(10, 30), ON_LEFT)])])
    row = {"video": "v.mp4", "score": 0.9, "sharpness": 1.0, "jpeg": b""}
    rows = [row | {"track_id": track, "frame": frame} for track, frame in crops]
    title = _title(info, replace(shard, crops=pa.Table.from_pylist(rows, schema=schemas.CROPS)))
    assert title.crops["frame"].to_pylist() == kept
    assert set(title.crops["track_id"].to_pylist()) == {0}
    assert title.tracks["crops"].to_pylist() == [len(kept)]


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, 119), max_size=5), order=st.randoms(use_true_random=False))
def test_faces_found_twice_are_one_track_however_the_video_is_cut(info, cuts, order):
    """A shot a shard or several; shards in any order; the same shots, tracks, crops and links."""
    shots = [
        (0, "start", [(range(20), LEFT), (range(10, 30), ON_LEFT), (range(3, 28), RIGHT)]),
        (30, "cut", [(range(31, 50), ON_LEFT), (range(30, 45), LEFT), (range(44, 48), ON_LEFT)]),
        (60, "cut", [(range(60, 80), RIGHT), (range(75, 90), LEFT)]),
        (100, "cut", [(range(100, 110), LEFT), (range(100, 110), ON_LEFT)]),
    ]
    starts = [0, *sorted(cuts), 120]
    shards = [_shard([shot for shot in shots if a <= shot[0] < b]) for a, b in itertools.pairwise(starts)]
    order.shuffle(shards)
    whole, cut = _title(info, _shard(shots)), _title(info, *shards)
    columns = ["frame", "shot", "x", "y", "track_id"]
    assert cut.faces.select(columns).equals(whole.faces.select(columns))
    assert cut.tracks.equals(whole.tracks)
    assert cut.cannot_link.equals(whole.cannot_link)
    assert whole.tracks["faces"].to_pylist() == [30, 25, 20, 20, 15, 10]


def test_faces_in_a_dissolve_say_nothing(info):
    shard = _shard([(0, "start", [(range(6), LEFT), (range(6), RIGHT)])], judge.BLENDED)
    title = _title(info, shard)
    assert _links(title) == []
    assert title.tracks["reason"].to_pylist() == ["all faces seen through another shot"] * 2


def test_tracks_are_numbered_by_first_frame_then_place(info):
    shard = _shard(
        [(0, "start", [(range(9, 20), MIDDLE), (range(30), RIGHT), (range(5, 9), MIDDLE), (range(30), LEFT)])]
    )
    title = _title(info, shard)
    assert title.tracks["first_frame"].to_pylist() == [0, 0, 5, 9]
    firsts = {
        (f, x): t for f, x, t in zip(*(title.faces[c].to_pylist() for c in ("frame", "x", "track_id")), strict=True)
    }
    assert (firsts[0, 10.0], firsts[0, 110.0]) == (0, 1)


def test_pieces_of_a_long_take_are_joined_by_overlap(info):
    moved = (14, 22, 30, 40)
    first = _shard([(0, "start", [(range(50), LEFT), (range(40), RIGHT)])])
    second = _shard(
        [(50, GRID, [(range(52, 90), RIGHT), (range(51, 100), moved)]), (100, "cut", [(range(100, 110), LEFT)])]
    )
    for shards in ((first, second), (second, first)):
        title = _title(info, *shards)
        assert title.shots["transition"].to_pylist() == ["start", "cut"]
        assert title.shots["last_frame"].to_pylist() == [99, 119]
        # The face on the left goes on; the one on the right was gone too long; the cut ends all.
        assert title.tracks["first_frame"].to_pylist() == [0, 0, 52, 100]
        assert title.tracks["last_frame"].to_pylist() == [99, 39, 89, 109]
        assert title.tracks["shot"].to_pylist() == [0, 0, 0, 1]


def test_a_title_without_faces_has_empty_tables(info):
    title = _title(info, _shard([(0, "start", [])]))
    assert [title.faces.num_rows, title.tracks.num_rows, title.crops.num_rows, title.cannot_link.num_rows] == [0] * 4
    assert title.faces.schema == schemas.STAGE1_FACES
    assert title.shots.num_rows == 1


def test_shards_whose_landmarks_are_lists_of_fixed_size_are_taken(info):
    shard = _shard([(0, "start", [(range(0, 50), LEFT), (range(0, 50), RIGHT)])])
    column = shard.faces.schema.get_field_index("landmarks")
    fixed = shard.faces["landmarks"].cast(pa.list_(pa.float32(), 10))
    old = replace(shard, faces=shard.faces.set_column(column, "landmarks", fixed))
    title = _title(info, old)
    assert title.faces.equals(_title(info, shard).faces)
    assert _links(title) == [(0, 1)]


def test_two_videos_of_one_name_are_refused(info):
    with pytest.raises(InputError, match=r"v\.mp4"):
        assemble_title([(info, []), (info, [])])
