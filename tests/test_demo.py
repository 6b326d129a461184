"""The demo season is what the documentation, the tests and CI take it for.

- Two videos of about 20 s that any player plays, and labels that the evaluation reads.
- At least 6 people and 22 tracks; pairs of people who are seen together; every difficulty in each episode.
- What is labelled can be seen: the default detector finds it, and finds little else.
- The same seed gives the same bytes, another seed another season.
- What goes wrong is told in a sentence.
"""

import csv
import os
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from vcn_ray.demo import DemoSeason, find_demo, render_demo
from vcn_ray.demo.portraits import read_picture
from vcn_ray.demo.screenplay import EPISODES, Shot
from vcn_ray.errors import ModelError, OutputError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.models.packs import load_pack

Labels = dict[tuple[str, int], list[tuple[tuple[float, float, float, float], str, int]]]

ONE_SHOT = {"s01e01.mp4": (Shot(0.2, (8,), "office"),)}


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> DemoSeason:
    """As ``vcn-ray demo`` has just rendered it into the folder VCN_DEMO, as in `.ci/run`; else rendered here, 20 s."""
    rendered = find_demo(Path(os.environ["VCN_DEMO"])) if "VCN_DEMO" in os.environ else None
    return rendered or render_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def labels(season: DemoSeason) -> Labels:
    """(video, frame) -> (box, identity, shot) of each face in it."""
    by_frame: Labels = defaultdict(list)
    with open(season.ground_truth, newline="") as file:
        for row in csv.DictReader(file):
            box = (float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"]))
            by_frame[row["video"], int(row["frame"])].append((box, row["identity"], int(row["shot"])))
    return by_frame


@pytest.fixture(scope="module")
def frames(season: DemoSeason) -> dict[str, list[np.ndarray]]:
    decoded = {}
    for video in season.videos:
        with av.open(str(video)) as container:
            decoded[video.name] = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return decoded


def test_videos_are_plain_h264_of_about_twenty_seconds(season: DemoSeason) -> None:
    assert [video.name for video in season.videos] == ["s01e01.mp4", "s01e02.mp4"]
    for video in season.videos:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 640, 360)
            assert stream.average_rate == Fraction(25)
            assert 18 <= stream.frames / 25 <= 24


def test_labels_are_read_by_the_evaluation(season: DemoSeason) -> None:
    truth = read_ground_truth(season.ground_truth)

    assert set(truth.video) == {"s01e01.mp4", "s01e02.mp4"}
    assert len(set(truth.identity)) >= 6
    assert len(set(zip(truth.video, truth.shot, truth.identity, strict=True))) >= 22
    assert all(identity.startswith("person_") for identity in truth.identity)


def test_labels_lie_in_their_video_and_name_nobody_twice(labels: Labels, frames: dict[str, list[np.ndarray]]) -> None:
    for (video, frame), faces in labels.items():
        assert 0 <= frame < len(frames[video])
        assert len({(identity, shot) for _, identity, shot in faces}) == len(faces)
        for (x, y, w, h), _, _ in faces:
            assert 40 < h < 220
            assert -0.1 * w < x < 640 - 0.9 * w
            assert -0.1 * h < y < 360 - 0.9 * h


def test_each_frame_is_labelled_and_belongs_to_one_shot(labels: Labels, frames: dict[str, list[np.ndarray]]) -> None:
    for video, images in frames.items():
        shot_of_frame = []
        for frame in range(len(images)):
            (shot,) = {shot for _, _, shot in labels[video, frame]}
            shot_of_frame.append(shot)
        assert shot_of_frame == sorted(shot_of_frame)
        assert set(shot_of_frame) == set(range(len(EPISODES[video])))


def test_each_episode_has_pairs_dissolves_and_every_difficulty(labels: Labels) -> None:
    for video, shots in EPISODES.items():
        assert {shot.difficulty for shot in shots} == {"", "dark", "blurred", "occluded"}
        assert any(shot.dissolve for shot in shots)
        together = {
            (shot, min(a, b), max(a, b))
            for (name, _), faces in labels.items()
            if name == video
            for _, a, shot in faces
            for _, b, other in faces
            if shot == other and a != b
        }
        assert len(together) >= 3


def test_dark_shots_are_dark_and_blurred_ones_lose_their_focus(
    labels: Labels, frames: dict[str, list[np.ndarray]]
) -> None:
    for video, shots in EPISODES.items():
        of_shot = defaultdict(list)
        for frame, image in enumerate(frames[video]):
            found = {shot for _, _, shot in labels[video, frame]}
            if frame not in _dissolving(video):
                of_shot[found.pop()].append(image)
        brightness = {shot: np.mean([image.mean() for image in images]) for shot, images in of_shot.items()}
        median = np.median(list(brightness.values()))
        for number, shot in enumerate(shots):
            if shot.difficulty == "dark":
                assert brightness[number] < 0.6 * median
            if shot.difficulty == "blurred":
                first, last = of_shot[number][2], of_shot[number][-3]
                assert _fine_structure(last) < 0.9 * _fine_structure(first)


def test_hard_cuts_change_the_picture_at_once_and_dissolves_do_not(
    labels: Labels, frames: dict[str, list[np.ndarray]]
) -> None:
    for video, shots in EPISODES.items():
        changes = [float(np.abs(b.astype(int) - a).mean()) for a, b in pairwise(frames[video])]
        for number, shot in enumerate(shots[1:], start=1):
            first = min(f for (v, f), faces in labels.items() if v == video and any(s == number for *_, s in faces))
            around = changes[max(0, first - 12) : first + 12]
            sudden = max(around) > 4 * np.median(around)
            assert sudden != shot.dissolve, f"{video}, shot {number}"


def test_the_detector_finds_what_is_labelled_and_little_else(
    labels: Labels, frames: dict[str, list[np.ndarray]]
) -> None:
    detector = load_pack("opencv-zoo").detector(0.6)
    labelled = found = false = 0
    for video, images in frames.items():
        for frame in sorted(set(range(4, len(images), 20)) - _dissolving(video)):
            boxes = detector.detect(images[frame]).boxes
            truth = np.array([box for box, _, _ in labels[video, frame]])
            overlap = np.array([[_iou(box, true) for true in truth] for box in boxes]).reshape(len(boxes), len(truth))
            labelled += len(truth)
            found += int((overlap.max(axis=0, initial=0) > 0.5).sum())
            false += int((overlap.max(axis=1, initial=0) < 0.3).sum())
    assert found >= 0.9 * labelled
    assert false <= 0.02 * labelled


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    short = {"s01e01.mp4": (Shot(0.8, (1,), "alley", "occluded"), Shot(0.8, (2, 7), "office", dissolve=True))}

    first, again, other = (render_demo(tmp_path / name, seed, short) for name, seed in (("a", 5), ("b", 5), ("c", 6)))

    assert first.videos[0].read_bytes() == again.videos[0].read_bytes()
    assert first.ground_truth.read_bytes() == again.ground_truth.read_bytes()
    assert first.videos[0].read_bytes() != other.videos[0].read_bytes()
    assert first.ground_truth.read_bytes() != other.ground_truth.read_bytes()


def test_what_is_rendered_is_found_again_unless_it_was_changed(tmp_path: Path) -> None:
    assert find_demo(tmp_path, episodes=ONE_SHOT) is None
    season = render_demo(tmp_path, episodes=ONE_SHOT)
    assert find_demo(tmp_path, episodes=ONE_SHOT) == season
    assert find_demo(tmp_path, seed=1, episodes=ONE_SHOT) is None
    season.ground_truth.write_text("changed")
    assert find_demo(tmp_path, episodes=ONE_SHOT) is None


def test_a_missing_photograph_names_its_package() -> None:
    with pytest.raises(ModelError, match=r"installed skimage lacks no_such_picture.*reinstall skimage"):
        read_picture("skimage", "data", "no_such_picture.png")


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("not a folder")
    with pytest.raises(OutputError, match="taken"):
        render_demo(tmp_path / "taken", episodes=ONE_SHOT)


def _dissolving(video: str) -> set[int]:
    """Frames of an episode that show two shots."""
    frames: set[int] = set()
    start = 0
    for shot in EPISODES[video]:
        if shot.dissolve:
            frames |= set(range(start, start + 14))
        start += round(shot.duration_s * 25)
    return frames


def _fine_structure(image: np.ndarray) -> float:
    """Mean difference of neighbouring pixels in the middle, where the person is."""
    grey = image[60:300, 160:480].mean(axis=2)
    grey = grey.reshape(120, 2, 160, 2).mean(axis=(1, 3))  # averages the sensor's noise away
    return float(np.abs(np.diff(grey, axis=1)).mean())


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    overlap = float(np.clip(high - low, 0, None).prod())
    return overlap / float(a[2:].prod() + b[2:].prod() - overlap)
