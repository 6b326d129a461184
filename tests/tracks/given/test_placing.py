"""Given boxes come to the right frames and pixels of a video, or are refused with a sentence."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.errors import InputError
from vcn_ray.track_files.content import TrackFile, faces_table
from vcn_ray.tracks.given.placing import content_digest, given_faces
from vcn_ray.tracks.video_info import VideoInfo


def _video(frames: int = 100, fps: int = 24, pts: np.ndarray | None = None) -> VideoInfo:
    times = np.arange(frames, dtype=np.int64) * (24_000 // fps) if pts is None else pts
    return VideoInfo(
        path="a.mp4",
        name="a.mp4",
        stream_index=0,
        width_px=640,
        height_px=360,
        time_base=Fraction(1, 24_000),
        fps=float(fps),
        duration_s=frames / fps,
        rotation_deg=0,
        orientation=(False, False, False),
        sample_aspect_ratio=Fraction(1),
        interlaced=False,
        transfer="sdr",
        timed=True,
        fingerprint="f",
        pts=times,
        key_pts=times[:1],
    )


def _file(
    frames: list[int], tracks: list[str] | None = None, rate: float | None = None, **columns: object
) -> TrackFile:
    count = len(frames)
    rows = {"frame": frames, "x": [10.0] * count, "y": [20.0] * count, "w": [30.0] * count, "h": [40.0] * count}
    faces = faces_table(rows | {"track": tracks or ["1"] * count} | columns)
    return TrackFile("tracks.txt", faces, {} if rate is None else {None: rate})


def _frames(*arguments: object, **more: object) -> list[int]:
    """Of the boxes that were not filled in."""
    placed = given_faces(*arguments, **more)  # type: ignore[arg-type]
    return placed.filter(placed["score"].is_valid())["frame"].to_pylist()


def test_without_a_rate_frames_are_the_videos() -> None:
    assert _frames(_file([0, 7, 99]), "a.mp4", _video()) == [0, 7, 99]


@given(st.sampled_from([12, 24, 25, 48, 60]), st.sampled_from([10, 12.5, 24, 25, 29.97, 60]))
def test_a_file_of_another_rate_comes_to_the_frames_of_its_times(video_fps: int, file_fps: float) -> None:
    video = _video(frames=200, fps=24 if 24_000 % video_fps else video_fps)
    last = int(199 / video.fps * file_fps)
    placed = given_faces(_file(list(range(last + 1)), rate=file_fps), "a.mp4", video)
    seen = placed.filter(placed["score"].is_valid())["frame"].to_numpy()
    times = np.arange(last + 1) / file_fps
    assert np.abs(seen[:, None] / video.fps - times[None]).min(axis=1).max() <= 0.5 / video.fps + 1e-9
    assert (np.diff(placed["frame"].to_numpy()) == 1).all()  # and there are no gaps between


def test_what_is_said_beside_the_file_goes_before_what_it_says() -> None:
    assert _frames(_file([0, 24], rate=12), "a.mp4", _video(), 24) == [0, 24]
    assert _frames(_file([0, 24], rate=24), "a.mp4", _video(), 12) == [0, 48]


def test_times_of_our_tables_tell_the_frame_also_at_another_rate() -> None:
    file = _file([0, 10], time_s=[0.0, 0.4])
    assert _frames(file, "a.mp4", _video(fps=24)) == [0, 10]
    assert _frames(file, "a.mp4", _video(fps=60)) == [0, 24]
    variable = _video(pts=np.cumsum([0, *[800, 1200] * 50]).astype(np.int64))
    assert _frames(_file([3, 4], time_s=[2800 / 24_000, 4000 / 24_000]), "a.mp4", variable) == [3, 4]


def test_boxes_of_every_nth_frame_are_filled_in_and_gaps_are_not() -> None:
    placed = given_faces(_file([0, 12, 24, 60], x=[0.0, 12.0, 24.0, 60.0]), "a.mp4", _video())
    assert placed["frame"].to_pylist() == placed["x"].to_pylist() == [*range(25), 60]
    assert placed.filter(placed["score"].is_valid())["frame"].to_pylist() == [0, 12, 24, 60]
    for unlike in ([0, 1, 2, 5], [0, 7, 99], [0, 40, 80]):  # a gap; no spacing; one of more than a second
        assert given_faces(_file(unlike), "a.mp4", _video())["frame"].to_pylist() == unlike


def test_tracks_keep_their_numbers_or_are_counted_as_they_appear() -> None:
    def numbers(*tracks: str) -> list[int]:
        return given_faces(_file([2, 1], list(tracks)), "a.mp4", _video())["track_id"].to_pylist()

    assert numbers("40", "7") == [7, 40]
    assert numbers("b", "a") == numbers("7", "07") == numbers("-1", "3") == [0, 1]


def test_a_picture_of_another_size() -> None:
    file = TrackFile("f", _file([0]).faces, sizes={None: (1280, 720)})
    row = given_faces(file, "a.mp4", _video()).to_pylist()[0]
    assert (row["x"], row["y"], row["w"], row["h"]) == (5, 10, 15, 20)


def test_only_the_videos_own_tracks() -> None:
    file = _file([0, 1], video=["a.mp4", "b.mp4"])
    assert _frames(file, "a.mp4", _video()) == [0]
    assert _frames(file, "c.mp4", _video()) == []


@pytest.mark.parametrize(
    ("file", "fps", "says"),
    [
        (_file([100]), None, "a face in frame 100, but a.mp4 has 100 frames, from 0 to 99 .*--tracks-fps"),
        (_file([100], rate=24), None, "a face in frame 100, at 4.17 s, but"),
        (_file([60], rate=12), None, "a face in frame 60, at 5.00 s, but"),
        (_file([60]), 12, "a face in frame 60, at 5.00 s, but"),
        (_file([3, 3]), None, "the track 1 has 2 boxes in frame 3"),
        (_file([3], x=[640.0]), None, r"in frame 3 the box \[640.0.* lies outside of a.mp4, which has 640 x 360"),
    ],
)
def test_what_does_not_fit_is_refused(file: TrackFile, fps: float | None, says: str) -> None:
    with pytest.raises(InputError, match=says):
        given_faces(file, "a.mp4", _video(), fps)


def test_the_digest_is_of_the_content_whatever_the_format() -> None:
    one = given_faces(_file([0, 1]), "a.mp4", _video())
    assert content_digest(one) == content_digest(given_faces(_file([0, 1], video=["a", "a"]), "a.mp4", _video()))
    for other in (_file([0, 2]), _file([0, 1], x=[10.0, 10.5]), _file([0, 1], score=[1.0, None])):
        assert content_digest(given_faces(other, "a.mp4", _video())) != content_digest(one)
    marked = _file([0, 1], landmarks=pa.array([[1.0] * 10, None], pa.list_(pa.float32())))
    assert content_digest(given_faces(marked, "a.mp4", _video())) != content_digest(one)
