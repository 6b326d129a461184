"""Putting a title together: cannot-links, joining across the lines that cut long takes, names."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from vcn_ray import schemas
from vcn_ray.config import TrackOptions
from vcn_ray.errors import InputError
from vcn_ray.tracks import judge
from vcn_ray.tracks.assemble import TitleTracks, assemble_title
from vcn_ray.tracks.extract import GRID, ShardResult
from vcn_ray.tracks.probe import VideoInfo, probe_video

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
                | {"score": 0.9, "verdict": verdict, "track_id": count}
                for n in frames
            ]
            count += 1
    return ShardResult(
        pa.Table.from_pylist(faces, schema=schemas.STAGE1_FACES),
        pa.Table.from_pylist(heads, schema=schemas.SHOTS),
        schemas.CROPS.empty_table(),
        {},
    )


def _title(info: VideoInfo, *shards: ShardResult) -> TitleTracks:
    return assemble_title([(info, list(shards))], TrackOptions())


def _links(title: TitleTracks) -> list[tuple[int, int]]:
    return list(zip(title.cannot_link["track_a"].to_pylist(), title.cannot_link["track_b"].to_pylist(), strict=True))


LEFT, RIGHT, ON_LEFT = (10, 20, 30, 40), (110, 20, 30, 40), (12, 24, 24, 30)


def test_faces_seen_together_are_two_people(info):
    title = _title(info, _shard([(0, "start", [(range(20), LEFT), (range(10, 30), RIGHT), (range(25, 40), LEFT)])]))
    assert _links(title) == [(0, 1), (1, 2)]


def test_two_boxes_on_one_face_are_one_person(info):
    assert _links(_title(info, _shard([(0, "start", [(range(20), LEFT), (range(10, 30), ON_LEFT)])]))) == []


def test_faces_in_a_dissolve_say_nothing(info):
    shard = _shard([(0, "start", [(range(6), LEFT), (range(6), RIGHT)])], judge.BLENDED)
    title = _title(info, shard)
    assert _links(title) == []
    assert title.tracks["reason"].to_pylist() == ["all faces seen through another shot"] * 2


def test_tracks_are_numbered_by_first_frame_then_place(info):
    shard = _shard([(0, "start", [(range(9, 20), LEFT), (range(30), RIGHT), (range(5, 9), RIGHT), (range(30), LEFT)])])
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


def test_two_videos_of_one_name_are_refused(info):
    with pytest.raises(InputError, match=r"v\.mp4"):
        assemble_title([(info, []), (info, [])], TrackOptions())
