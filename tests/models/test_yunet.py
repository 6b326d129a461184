import cv2
import numpy as np
import pytest

from vcn_ray.errors import ModelError
from vcn_ray.models.detection import Detections
from vcn_ray.models.yunet import YuNetDetector


def _same(a: Detections, b: Detections) -> bool:
    return all(
        np.array_equal(x, y)
        for x, y in zip((a.boxes, a.scores, a.landmarks), (b.boxes, b.scores, b.landmarks), strict=True)
    )


def test_finds_faces_with_their_landmarks(pack, astronaut, group) -> None:
    detector = pack.detector(0.6)
    for image, faces in ((astronaut, 1), (group, 6)):
        found = detector.detect(image)
        assert len(found) == faces
        assert (found.scores > 0.85).all()
        assert (np.diff(found.scores) <= 0).all()
        inside = (found.landmarks - found.boxes[:, None, :2]) / found.boxes[:, None, 2:]
        assert ((inside > -0.1) & (inside < 1.1)).all()
        left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks.swapaxes(0, 1)
        assert (left_eye[:, 0] < right_eye[:, 0]).all()
        assert (left_mouth[:, 0] < right_mouth[:, 0]).all()
        assert (np.maximum(left_eye[:, 1], right_eye[:, 1]) < nose[:, 1]).all()
        assert (nose[:, 1] < np.minimum(left_mouth[:, 1], right_mouth[:, 1])).all()


@pytest.mark.parametrize("size", [(1280, 886), (640, 360), (427, 241), (200, 320), (33, 65)])
def test_finds_what_opencv_finds(pack, group, size) -> None:
    image = cv2.resize(group, size)
    model, nothing = np.frombuffer(pack.detector_path.read_bytes(), np.uint8), np.zeros(0, np.uint8)
    _, rows = cv2.FaceDetectorYN.create("onnx", model, nothing, size, 0.3, 0.3, 5000).detect(image)
    theirs = np.zeros((0, 15), np.float32) if rows is None else rows
    theirs = theirs[np.argsort(-theirs[:, 14], kind="stable")]
    ours = pack.detector(0.3).detect(image)
    assert ours.boxes.shape == theirs[:, :4].shape
    assert np.allclose(ours.scores, theirs[:, 14], atol=1e-4)
    assert np.allclose(ours.boxes, theirs[:, :4], atol=1e-2)
    assert np.allclose(ours.landmarks.reshape(-1, 10), theirs[:, 4:14], atol=1e-2)


def test_landmarks_are_named_by_the_side_of_the_image_not_of_the_person(pack, astronaut) -> None:
    detector = pack.detector(0.6)
    seen = detector.detect(astronaut).landmarks[0]
    mirrored = detector.detect(np.ascontiguousarray(astronaut[:, ::-1])).landmarks[0]
    back = mirrored[[1, 0, 2, 4, 3]] * [-1, 1] + [astronaut.shape[1] - 1, 0]
    assert np.abs(back - seen).max() < 6


def test_what_it_finds_does_not_depend_on_earlier_images_or_threads(pack, astronaut, group) -> None:
    images = [astronaut, group, cv2.resize(group, (427, 240)), astronaut[:, :300].copy()]
    images += [np.zeros((100, k, 3), np.uint8) for k in (50, 60, 70, 80)]
    alone = [pack.detector(0.3).detect(image) for image in images]
    detector = pack.detector(0.3)
    for order in (range(len(images)), reversed(range(len(images)))):
        for k in order:
            assert _same(detector.detect(images[k]), alone[k])
    cv2.setNumThreads(2)
    assert _same(detector.detect(group), alone[1])


def test_min_score_leaves_out_the_faces_below_it(pack, group) -> None:
    small = cv2.resize(group, (320, 221))
    all_faces = pack.detector(0.2).detect(small)
    limit = float(np.sort(all_faces.scores)[2:4].mean())
    found = pack.detector(limit).detect(small)
    assert np.array_equal(found.scores, all_faces.scores[all_faces.scores >= limit])


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (33, 17), (240, 320)])
def test_nothing_is_found_where_nothing_is(pack, size) -> None:
    found = pack.detector(0.5).detect(np.full((*size, 3), 90, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)]
)
def test_other_arrays_are_refused(pack, image) -> None:
    with pytest.raises(ValueError, match="uint8"):
        pack.detector(0.5).detect(image)


@pytest.mark.parametrize("content", [b"no model", b"", "sface"])
def test_what_is_no_yunet_is_one_sentence(pack, content) -> None:
    with pytest.raises(ModelError, match="YuNet") as caught:
        YuNetDetector(pack.face_id_path.read_bytes() if content == "sface" else content, 0.5)
    assert "\n" not in str(caught.value)
