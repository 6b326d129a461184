"""Judging, sampling and sharding, each on its own."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.config import TrackOptions
from vcn_ray.models.alignment import align_crop, align_template
from vcn_ray.tracks import judge
from vcn_ray.tracks.crops import Crop, CropSampler, Cutout
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.shards import plan_shards

OPTIONS = TrackOptions()
NOISE = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8), (0, 0), 2)


def _cutout(frame: int) -> Cutout:
    return Cutout.of(frame, 0.9, 1.0, NOISE, np.array([100.0, 100, 40, 50]), align_template() / 2 + [90, 90])


def _sampler(first: int, stride: int, min_crops: int) -> CropSampler:
    return CropSampler(first, stride, min_crops, lambda cutout: cutout.crop(None))


def _sample(frames: list[int], stride: int, min_crops: int) -> list[int]:
    sampler = _sampler(frames[0], stride, min_crops)
    for frame in frames:
        if sampler.wants(frame):
            sampler.add(_cutout(frame))
    return [crop.frame for crop in sampler.chosen()]


def test_long_tracks_give_a_crop_every_stride():
    assert _sample(list(range(7, 107)), 12, 4) == list(range(7, 107, 12))


def test_a_bad_face_at_its_turn_is_replaced_by_the_next_good_one():
    frames = [n for n in range(100) if n not in (24, 25, 26)]
    assert _sample(frames, 12, 4) == [0, 12, 27, *range(36, 100, 12)]


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 20), st.integers(1, 8), st.integers(1, 3))
def test_short_tracks_give_their_share_evenly(first, length, stride, min_crops, every):
    frames = list(range(first, first + length, every))
    chosen = _sample(frames, stride, min_crops)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(frames)
    assert len(chosen) >= min(min_crops, len(frames), 3)
    assert len(chosen) <= max(min_crops, -(-length // stride))
    if len(chosen) > 2:
        assert max(np.diff(chosen)) <= 2 * max(stride, every, length / (len(chosen) - 1))


def test_crops_from_a_frame_on_can_be_left_out():
    sampler = _sampler(0, 12, 4)
    for frame in range(60):
        if sampler.wants(frame):
            sampler.add(_cutout(frame))
    assert all(crop.frame < 20 for crop in sampler.chosen(20))
    assert len(sampler.chosen(20)) == 4
    assert sampler.chosen(0) == []


def test_only_the_crops_that_are_needed_are_made():
    made: list[int] = []

    def finish(cutout: Cutout) -> Crop:
        made.append(cutout.frame)
        return cutout.crop(None)

    sampler = CropSampler(0, 12, 4, finish)
    for frame in range(0, 100, 2):
        if sampler.wants(frame):
            sampler.add(_cutout(frame))
    assert made == [crop.frame for crop in sampler.chosen()] == list(range(0, 100, 12))


@given(
    x=st.floats(-15, 360),
    y=st.floats(-15, 260),
    width=st.floats(12, 100),
    tall=st.floats(0.8, 1.4),
    turn=st.floats(-3, 3),
)
def test_a_cutout_holds_all_that_its_crop_shows(x, y, width, tall, turn):
    """The same crop as from the whole picture, up to the rounding of places."""
    box = np.array([x, y, width, width * tall])
    points = (align_template() - 56) @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    landmarks = points * (width / 80) + box[:2] + box[2:] / 2
    cutout = Cutout.of(3, 0.9, 0.5, NOISE, box, landmarks)
    assert max(cutout.image_bgr.shape[:2]) <= 320
    crop = cutout.crop(None)
    assert (crop.frame, crop.score, crop.sharpness) == (3, 0.9, 0.5)
    whole = align_crop(NOISE, landmarks.astype(np.float32))
    assert np.abs(crop.image_bgr.astype(int) - whole).mean() < 2


def test_a_large_face_waits_as_a_smaller_picture():
    picture = cv2.resize(NOISE, (1600, 1200), interpolation=cv2.INTER_CUBIC)
    landmarks = align_template() * 4 + [500, 300]
    cutout = Cutout.of(0, 0.9, 1.0, picture, np.array([560.0, 360, 320, 400]), landmarks)
    assert max(cutout.image_bgr.shape[:2]) == 320
    whole = align_crop(cv2.GaussianBlur(picture, (0, 0), 1.2), landmarks.astype(np.float32))
    assert np.abs(cutout.crop(None).image_bgr.astype(int) - whole).mean() < 2


def test_a_long_track_keeps_nothing_that_it_will_not_need():
    """Not even its last crops' turn out to lie in a dissolve."""
    sampler = CropSampler(0, 12, 4, lambda cutout: cutout.crop(None), blend_frames=12)
    waiting = []
    for frame in range(0, 100, 2):
        if sampler.wants(frame):
            sampler.add(_cutout(frame))
        waiting.append(len(sampler._early))
    assert max(waiting) > 5
    assert waiting[24] == 0
    assert [crop.frame for crop in sampler.chosen(88)] == list(range(0, 88, 12))


def test_jpeg_keeps_the_colours():
    picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (14, 14, 3), np.uint8), (112, 112))
    jpeg = Crop(0, 1, 1, picture).jpeg()
    assert Crop(0, 1, 1, picture).jpeg() == jpeg
    assert np.abs(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).astype(int) - picture).mean() < 3


@pytest.mark.parametrize(
    ("box", "score", "sharp", "verdict"),
    [
        ((100, 100, 40, 50), 0.9, 0.8, None),
        ((100, 100, 9, 50), 0.9, 0.8, judge.TOO_SMALL),
        ((100, 100, 40, 50), 0.3, 0.8, judge.TOO_UNSURE),
        ((100, 100, 40, 50), 0.9, 0.02, judge.TOO_BLURRED),
        ((-30, 100, 40, 50), 0.9, 0.8, judge.CUT_OFF),
        ((500, 100, 40, 50), 0.9, 0.8, judge.CUT_OFF),
    ],
)
def test_verdicts(box, score, sharp, verdict):
    assert judge.judge_face(np.array(box, float), score, sharp, (320, 240), OPTIONS) == verdict


def test_blur_lowers_sharpness_size_and_contrast_do_not(portraits):
    face = portraits[0]
    box = np.array([70.0, 30, 110, 130])
    sharp = judge.sharpness(face, box)
    blurred = [judge.sharpness(cv2.GaussianBlur(face, (0, 0), sigma), box) for sigma in (3, 6, 12)]
    assert sharp > blurred[0] > blurred[1] > blurred[2]
    assert blurred[2] < 0.3 * sharp
    assert judge.sharpness(cv2.convertScaleAbs(face, alpha=0.4), box) == pytest.approx(sharp, rel=0.1)
    half = cv2.resize(face, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert judge.sharpness(half, box / 2) == pytest.approx(sharp, rel=0.25)
    assert judge.sharpness(face, np.array([-50.0, -50, 20, 20])) == 0


def test_reason_names_what_most_faces_suffer_from():
    faces = [judge.TOO_BLURRED] * 3 + [judge.TOO_SMALL, judge.INTERPOLATED, None]
    assert judge.track_reason(faces) == "faces too blurred"
    assert judge.track_reason([judge.TOO_SMALL, judge.INTERPOLATED]) == "all faces too small"


@pytest.fixture(scope="module")
def info(videos, tmp_path_factory):
    path = tmp_path_factory.mktemp("shards") / "v.mp4"
    return probe_video(videos.write(path, [videos.stamped(n) for n in range(200)], options={"g": "10"}, fps=20))


@pytest.mark.parametrize("window_s", [1, 1.5, 3.3, 20])
def test_shards_cover_the_video_once(info, window_s):
    shards = plan_shards(info, window_s)
    assert shards[0].first_frame == 0
    assert shards[-1].end_frame == 200
    assert all(a.end_frame == b.first_frame for a, b in itertools.pairwise(shards))
    assert len(shards) == -(-10 // window_s)


def test_windows_without_a_key_frame_are_joined(info):
    assert len(plan_shards(replace(info, key_pts=info.key_pts[:1]), 1)) == 1
    assert len(plan_shards(replace(info, timed=False), 1)) == 1
    assert len(plan_shards(replace(info, key_pts=info.pts[[0, 95]]), 1)) == 2
