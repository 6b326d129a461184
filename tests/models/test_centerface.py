from dataclasses import replace

import cv2
import numpy as np
import pytest

from vcn_ray.errors import ModelError
from vcn_ray.models.catalogue import CENTERFACE
from vcn_ray.models.centerface import CenterFaceDetector
from vcn_ray.models.detection import Detections
from vcn_ray.models.detectors import SecondLook, open_detector
from vcn_ray.models.origins import InFolder
from vcn_ray.models.packs import FacePack


@pytest.fixture(scope="module")
def detector(pack: FacePack) -> CenterFaceDetector:
    return pack.detector(0.5, "centerface")


def test_finds_faces_with_their_landmarks(detector, astronaut, group) -> None:
    for image, faces in ((astronaut, 1), (group, 6)):
        found = detector.detect(image)
        assert len(found) == faces
        assert (np.diff(found.scores) <= 0).all()
        left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks.swapaxes(0, 1)
        assert (left_eye[:, 0] < right_eye[:, 0]).all()
        assert (left_mouth[:, 0] < right_mouth[:, 0]).all()
        assert (np.maximum(left_eye[:, 1], right_eye[:, 1]) < nose[:, 1]).all()
        assert (nose[:, 1] < np.minimum(left_mouth[:, 1], right_mouth[:, 1])).all()


def test_sees_the_faces_that_yunet_sees(pack, detector, group) -> None:
    theirs, ours = (d.detect(group) for d in (pack.detector(0.6), detector))
    eye_distance = np.linalg.norm(theirs.landmarks[:, 1] - theirs.landmarks[:, 0], axis=1)
    apart = np.linalg.norm(theirs.landmarks[:, None] - ours.landmarks[None], axis=3).mean(axis=2)
    assert (apart.min(axis=1) < 0.25 * eye_distance).all()
    assert sorted(apart.argmin(axis=1)) == list(range(len(ours)))


@pytest.mark.parametrize("size", [(256, 192), (100, 77)])
def test_its_best_face_is_that_of_a_direct_run(pack, astronaut, size) -> None:
    """Of OpenCV's own reader of the file, decoded here for one cell, as its makers do."""
    image = cv2.resize(astronaut[:300, 80:380], size)
    padded = cv2.copyMakeBorder(image, 0, -size[1] % 32, 0, -size[0] % 32, cv2.BORDER_CONSTANT)
    network = cv2.dnn.readNetFromONNX(str(pack.landmarks_path))
    network.setInput(cv2.dnn.blobFromImage(padded, swapRB=True))
    heat, size_log, offset, points = (out[0] for out in network.forward(["537", "538", "539", "540"]))
    y, x = np.unravel_index(heat[0].argmax(), heat[0].shape)
    height, width = 4 * np.exp(size_log[:, y, x])
    left = 4 * (x + offset[1, y, x] + 0.5) - width / 2
    top = 4 * (y + offset[0, y, x] + 0.5) - height / 2
    landmarks = [(left + points[2 * k + 1, y, x] * width, top + points[2 * k, y, x] * height) for k in range(5)]
    found = pack.detector(0.3, "centerface").detect(image)
    assert found.scores[0] == pytest.approx(0.6 + (heat.max() - 0.4) / 0.6 * 0.4, abs=1e-4)  # on the common scale
    assert np.allclose(found.boxes[0], [left, top, width, height], atol=1e-2)
    assert np.allclose(found.landmarks[0], landmarks, atol=1e-2)


def test_what_it_finds_does_not_depend_on_earlier_images(pack, detector, astronaut, group) -> None:
    small = cv2.resize(group, (320, 222))
    for image in (astronaut, small, np.zeros((40, 50, 3), np.uint8), small):
        alone = pack.detector(0.5, "centerface").detect(image)
        again = detector.detect(image)
        for name in ("boxes", "scores", "landmarks"):
            assert getattr(alone, name).tobytes() == getattr(again, name).tobytes()


def test_a_higher_least_score_leaves_faces_out_and_changes_nothing_else(pack, group) -> None:
    small = cv2.resize(group, (320, 222), interpolation=cv2.INTER_AREA)
    everything = pack.detector(0.15, "centerface").detect(small)
    for least in (0.2, 0.5, 0.6, 0.75):
        found = pack.detector(least, "centerface").detect(small)
        assert (found.scores >= least - 1e-6).all()
        kept = everything.scores >= least
        assert np.array_equal(found.boxes, everything.boxes[kept])


def test_an_image_without_faces_has_none(detector) -> None:
    for size in ((1, 1), (33, 65)):
        found = detector.detect(np.full((*size, 3), 90, np.uint8))
        assert (found.boxes.shape, found.scores.shape, found.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))


def test_another_image_is_refused(detector) -> None:
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros((10, 10), np.uint8))


def test_a_file_that_is_no_centerface_is_told(pack) -> None:
    with pytest.raises(ModelError, match=r"CenterFace model.*another network; install its pack again"):
        open_detector("centerface", pack.detector_path, 0.5)
    for content in (b"no model", b"", pack.landmarks_path.read_bytes()[:100_000]):
        with pytest.raises(ModelError, match=r"CenterFace model.*install its pack again"):
            CenterFaceDetector(content, 0.5)


class _Sees:
    """Faces that are always the same, x, y, w, h and score, and how often it was asked."""

    def __init__(self, *faces: tuple[float, float, float, float, float]):
        values = np.array(faces, np.float32).reshape(-1, 5)
        self.found = Detections.ranked(values[:, :4], values[:, 4], np.zeros((len(values), 5, 2), np.float32))
        self.calls = 0

    def detect(self, image_bgr: np.ndarray) -> Detections:
        self.calls += 1
        return self.found


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        ([(10, 10, 40, 50, 0.9)], False),  # large and sure
        ([(10, 10, 40, 50, 0.5)], True),  # large, not sure
        ([(10, 10, 20, 50, 0.9)], True),  # small
        ([(10, 10, 20, 25, 0.9), (60, 10, 40, 50, 0.9)], False),
        ([], True),
    ],
)
def test_a_second_look_is_taken_where_no_face_is_large(first, asked) -> None:
    second = _Sees((200, 10, 12, 14, 0.7))
    found = SecondLook(_Sees(*first), second).detect(np.zeros((100, 300, 3), np.uint8))
    assert second.calls == asked
    assert len(found) == len(first) + asked


def test_of_two_looks_at_one_face_the_better_scored_counts() -> None:
    look = SecondLook(_Sees((10, 10, 20, 20, 0.4)), _Sees((12, 10, 20, 20, 0.8), (10, 60, 20, 20, 0.3)))
    found = look.detect(np.zeros((100, 300, 3), np.uint8))
    assert found.boxes.tolist() == [[12, 10, 20, 20], [10, 60, 20, 20]]
    assert found.scores.tolist() == pytest.approx([0.8, 0.3])


@pytest.mark.parametrize("kind", ["centerface", "pack+centerface"])
def test_stage_1_may_look_with_it(pack, group, kind) -> None:
    small = cv2.resize(group, (320, 222), interpolation=cv2.INTER_AREA)
    assert len(pack.detector(0.6, kind).detect(small)) >= len(pack.detector(0.6).detect(small))


def test_where_it_is_not_installed_that_is_told(pack, tmp_path, monkeypatch) -> None:
    elsewhere = replace(CENTERFACE, origin=InFolder(str(tmp_path)))
    monkeypatch.setattr("vcn_ray.models.packs.CENTERFACE", elsewhere)
    assert pack.detector(0.5)
    with pytest.raises(ModelError, match=r"centerface.onnx is missing"):
        pack.detector(0.5, "pack+centerface")
