"""Degraded copies fit the labels of what they are copies of; work spreads over Ray in order."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from jobs.benchmarks.quality.bench import spread
from jobs.benchmarks.quality.footage.cases import write_labels
from jobs.benchmarks.quality.footage.corruptions import FACES_PX, KINDS, Copy, change, degraded, make_copy
from jobs.benchmarks.quality.footage.seasons import Footage
from vcn_ray.evaluate.ground_truth import GroundTruth, read_ground_truth
from vcn_ray.tracks.decode import Picture, read_frames
from vcn_ray.tracks.probe import probe_video

FRAMES, WIDE, HIGH = 20, 98, 66

#: One of those that make small faces stands for all.
SOME_KINDS = [kind for kind in KINDS if kind not in FACES_PX or kind == "faces16"]


@pytest.fixture
def season(tmp_path: Path) -> Footage:
    """20 frames of 98x66 pixels at an uneven rate, with B-frames, in Matroska; a bright square moves over grey."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    with av.open(str(folder / "clip.mkv"), "w") as sink:
        stream = sink.add_stream("libx264", rate=25, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(FRAMES):
            picture = np.full((HIGH, WIDE, 3), 90, np.uint8)
            picture[20:40, 2 * number : 2 * number + 20] = 220
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = 40 * number + 7 * (number % 3), Fraction(1, 1000)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
    frames = np.arange(FRAMES)
    boxes = np.stack([2.0 * frames, np.full(FRAMES, 20.0), np.full(FRAMES, 20.0), np.full(FRAMES, 20.0)], axis=1)
    text = [np.array([value] * FRAMES, object) for value in ("clip.mkv", "somebody", "0")]
    write_labels(GroundTruth(text[0], frames, boxes, text[1], text[2]), folder / "ground_truth.csv")
    return Footage("tiny", "", (str(folder / "clip.mkv"),), str(folder / "ground_truth.csv"))


def pictures(video: str) -> np.ndarray:
    info = probe_video(video)
    picture = Picture(info)
    return np.stack([picture.bgr(frame) for _, frame in read_frames(info)])


def copies(season: Footage, kind: str, folder: Path) -> tuple[Footage, list[Copy]]:
    found = degraded(season, kind, str(folder / "cache"))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", SOME_KINDS)
def test_a_copy_has_the_same_frames_at_the_same_times(season: Footage, tmp_path: Path, kind: str) -> None:
    footage, missing = copies(season, kind, tmp_path)
    assert [make_copy(copy) for copy in missing] == [""]
    assert copies(season, kind, tmp_path) == (footage, [])  # not again
    before, after = probe_video(season.videos[0]), probe_video(footage.videos[0])
    assert after.frames == before.frames == FRAMES
    assert [after.time_s(n) for n in range(FRAMES)] == pytest.approx([before.time_s(n) for n in range(FRAMES)])
    labels, images = read_ground_truth(footage.ground_truth), pictures(footage.videos[0]).mean(axis=3)
    for frame, (x, y, w, h) in zip(labels.frame, labels.boxes.round().astype(int), strict=True):
        inside = images[frame, y : y + h, x : x + w].mean()
        assert inside > images[frame].mean() + 20  # the label is where the square is


def test_what_is_done_to_a_picture() -> None:
    rng = np.random.default_rng(0)
    picture = np.full((481, 641, 3), 60, np.uint8)
    picture[:, 200:400] = 240
    assert change("half", picture, rng, (320, 240)).shape == (240, 320, 3)
    assert change("dark", picture, rng).mean() < 0.6 * picture.mean()
    edges = [np.abs(np.diff(p.astype(int), axis=1)).max() for p in (change("blur", picture, rng), picture)]
    assert edges[0] < 0.5 * edges[1]
    assert (change("compressed", picture, rng) == picture[:480, :640]).all()


def test_the_median_face_is_as_high_as_the_kind_says(season: Footage, tmp_path: Path) -> None:
    footage, (copy,) = copies(season, "faces16", tmp_path)
    assert copy.size == (78, 52)  # of 98 x 66, faces of 20 pixels
    assert np.median(read_ground_truth(footage.ground_truth).boxes[:, 3]) == pytest.approx(16, abs=0.5)
    assert degraded(season, "faces20", str(tmp_path / "cache")) is None  # they are as small already
    assert degraded(season, "faces28", str(tmp_path / "cache")) is None


def test_what_cannot_be_copied_is_said(season: Footage, tmp_path: Path) -> None:
    _, (copy,) = copies(season, "blur", tmp_path)
    Path(season.videos[0]).write_bytes(b"gone")
    assert "clip.mkv" in make_copy(copy)
    assert not Path(copy.target).exists()


@pytest.mark.usefixtures("ray_cluster")
def test_results_come_in_order_and_a_dead_worker_costs_its_own_alone() -> None:
    def work(job: int) -> int:
        import time

        if job == 1:
            os._exit(1)
        time.sleep(0.3 * (job == 0))
        return 10 * job

    first, second, third = spread(work, [0, 1, 2], "numbers")
    assert (first, third) == (0, 20)
    assert "worker" in str(second)
