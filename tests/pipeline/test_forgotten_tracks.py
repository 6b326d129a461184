"""Tracks found again where somebody was who is forgotten are dropped before anything is made of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from vcn_ray import schemas
from vcn_ray.corrections.correction import Kind, TrackAnchor, make_correction
from vcn_ray.corrections.correction_file import to_plain
from vcn_ray.pipeline.forgotten_tracks import (
    REMOVAL_KEY,
    Whose,
    drop_forgotten,
    finish_removal_from_shards,
    places_of,
)
from vcn_ray.pipeline.layout import FORGOTTEN_KEY
from vcn_ray.storage.store import Store
from vcn_ray.tracks.assemble import TitleTracks

VIDEO, PRINT = "a.mp4", "print"
LEFT, RIGHT = (100.0, 80.0), (400.0, 80.0)


def _face(frame: int, place: tuple[float, float], track: int | None, side: float = 60.0) -> dict:
    x, y = place
    return {
        **{"video": VIDEO, "frame": frame, "time_s": frame / 25, "shot": 0, "x": x, "y": y, "w": side, "h": side},
        **{"score": 0.9, "landmarks": [x] * 10, "sharpness": 1.0, "verdict": None, "track_id": track},
    }


def _crop(frame: int, track: int) -> dict:
    jpeg = cv2.imencode(".jpg", np.full((112, 112, 3), frame % 200, np.uint8))[1].tobytes()
    return {"track_id": track, "video": VIDEO, "frame": frame, "score": 0.9, "sharpness": 1.0, "jpeg": jpeg}


def _forgotten(work: Store, frames: tuple[int, int], place: tuple[float, float], at: tuple[int, ...] = (5, 10)) -> None:
    boxes = tuple((frame, *place, 60.0, 60.0) for frame in at)
    anchor = TrackAnchor(PRINT, frames, boxes, VIDEO)
    work.write_json(FORGOTTEN_KEY, to_plain([make_correction(Kind.FORGET, [anchor], by="")]))


def _tables(faces: list[dict], crops: list[dict]) -> TitleTracks:
    return TitleTracks(
        pa.Table.from_pylist(faces, schemas.STAGE1_FACES),
        schemas.STAGE1_TRACKS.empty_table(),
        pa.Table.from_pylist(crops, schemas.CROPS),
        schemas.SHOTS.empty_table(),
        schemas.CANNOT_LINK.empty_table(),
    )


@pytest.fixture
def work(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_two_people_are_in_a_shot_and_one_is_forgotten(work: Store) -> None:
    faces = [_face(f, place, track) for f in range(20) for track, place in enumerate((LEFT, RIGHT))]
    found = _tables(faces, [_crop(f, track) for track in (0, 1) for f in (0, 8, 16)])
    _forgotten(work, (0, 19), RIGHT)
    left = drop_forgotten(work, found, {VIDEO: PRINT})
    assert set(left.faces["track_id"].to_pylist()) == set(left.crops["track_id"].to_pylist()) == {0}
    assert left.tracks["track_id"].to_pylist() == [0]
    assert left.tracks["faces"].to_pylist() == [20]
    assert left.cannot_link.num_rows == 0
    assert not work.exists(REMOVAL_KEY)


def test_of_a_track_that_holds_two_people_the_others_part_stays(work: Store) -> None:
    found = _tables([_face(f, LEFT, 0) for f in range(30)], [_crop(f, 0) for f in (2, 13, 28)])
    _forgotten(work, (0, 14), LEFT)
    left = drop_forgotten(work, found, {VIDEO: PRINT})
    assert left.faces["frame"].to_pylist() == list(range(15, 30))
    assert left.crops["frame"].to_pylist() == [28]


def test_somebody_who_passes_by_where_they_were_stays(work: Store) -> None:
    found = _tables([_face(f, LEFT, 0) for f in range(9, 13)], [_crop(10, 0)])
    _forgotten(work, (0, 60), LEFT, (10, 30, 50))
    assert drop_forgotten(work, found, {VIDEO: PRINT}) is found


def test_another_video_or_nobody_forgotten_changes_nothing(work: Store) -> None:
    found = _tables([_face(f, LEFT, 0) for f in range(20)], [])
    assert drop_forgotten(work, found, {VIDEO: PRINT}) is found
    _forgotten(work, (0, 19), LEFT)
    assert drop_forgotten(work, found, {VIDEO: "another"}) is found


def test_detections_that_no_track_took_are_theirs_where_they_lie_on_their_face_and_no_others(work: Store) -> None:
    faces = pa.Table.from_pylist(
        [
            *(_face(frame, LEFT, 0) for frame in (0, 4)),
            *(_face(2, place, None) for place in ((105.0, 80.0), RIGHT)),
            _face(2, (110.0, 80.0), 1),
        ],
        schemas.STAGE1_FACES,
    )
    tracked = faces.filter(faces["track_id"].is_valid())
    theirs = Whose(places_of(tracked, np.array([True, True, False]))).are_theirs(faces)
    assert theirs.tolist() == [True, True, True, False, False]


def test_shards_lose_their_pictures_also_where_they_number_tracks_otherwise_and_were_stopped_half_way(
    work: Store,
) -> None:
    """Shard b has the track as number 7, found twice (8); a crop of 7 is of a face that the track lost."""
    title = pa.Table.from_pylist(
        [_face(f, LEFT, 3) for f in range(20)] + [_face(f, RIGHT, 4) for f in range(20)], schemas.STAGE1_FACES
    )
    tracks = title["track_id"].to_numpy()
    work.write_table(REMOVAL_KEY, places_of(title, tracks == 3))
    shard = [_face(f, LEFT, 7) for f in range(20) if f != 4]
    shard += [_face(f, (110.0, 85.0), 8, 55.0) for f in range(4, 9)] + [_face(f, RIGHT, 0) for f in range(20)]
    step = "shards/v/00000000-00000020"
    work.write_table(f"{step}/faces.parquet", pa.Table.from_pylist(shard, schemas.STAGE1_FACES))
    crops = [_crop(4, 7), _crop(12, 7), _crop(5, 8), _crop(5, 0)]
    work.write_table(f"{step}/crops.parquet", pa.Table.from_pylist(crops, schemas.CROPS))
    work.mark_done(step, "1")
    killed = "shards/v/00000020-00000040"  # before it wrote its crops
    work.write_table(f"{killed}/faces.parquet", pa.Table.from_pylist(shard, schemas.STAGE1_FACES))
    finish_removal_from_shards(work)
    assert not work.keys(killed)
    assert work.read_table(f"{step}/crops.parquet")["track_id"].to_pylist() == [0]
    assert set(work.read_table(f"{step}/faces.parquet")["track_id"].to_pylist()) == {0}
    assert not work.exists(REMOVAL_KEY)
    finish_removal_from_shards(work)  # nothing to do
